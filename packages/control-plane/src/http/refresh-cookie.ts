import type { IncomingMessage } from 'node:http';
import { serialize } from 'cookie';
import type { Response } from 'express';
import { cookieValues } from './cookie-values.js';
import { mountOf } from './mount.js';
import type { Site } from './site.js';

const PLAIN = 'streamspace_refresh';
type Name = typeof PLAIN | `__Host-${typeof PLAIN}` | `__Secure-${typeof PLAIN}`;

interface Place {
  readonly name: Name;
  readonly path: string;
  readonly secure: boolean;
}

/**
 * The cookie that keeps a browser logged in. By https its name has a prefix that browsers hold to conditions
 * (draft-ietf-httpbis-rfc6265bis section 4.1.3): `__Host-` at the root, where nothing but this host can set it, and
 * `__Secure-` under a path.
 */
export class RefreshCookie {
  readonly #site: Site;

  constructor(site: Site) {
    this.#site = site;
  }

  /** The refresh tokens of a request: those of the present name, then those of the plain name, of earlier versions. */
  read(request: IncomingMessage, response: Response): string[] {
    const { cookie } = request.headers;
    const { name } = this.#place(request, response);
    const earlier = name === PLAIN ? [] : cookieValues(cookie, PLAIN);
    return [...cookieValues(cookie, name), ...earlier];
  }

  /** Sets it, and removes the one of the plain name where that is not the name. */
  set(request: IncomingMessage, response: Response, value: string, expires: Date): void {
    const place = this.#place(request, response);
    append(response, place, value, expires);
    if (place.name !== PLAIN && cookieValues(request.headers.cookie, PLAIN).length > 0)
      append(response, plain(mountOf(response)), '', new Date(0));
  }

  #place(request: IncomingMessage, response: Response): Place {
    const mount = mountOf(response);
    if (!this.#site.isHttps(request)) return plain(mount);
    // `__Host-` needs the path `/`; under a path it would be sent to the whole host, and to other installations there.
    if (mount === '') return { name: `__Host-${PLAIN}`, path: '/', secure: true };
    return { ...plain(mount), name: `__Secure-${PLAIN}`, secure: true };
  }
}

const plain = (mount: string): Place => ({ name: PLAIN, path: `${mount}/api/v1/auth`, secure: false });

function append(response: Response, { name, path, secure }: Place, value: string, expires: Date): void {
  response.append(
    'Set-Cookie',
    serialize(name, value, { httpOnly: true, sameSite: 'strict', secure, path, expires }),
  );
}
