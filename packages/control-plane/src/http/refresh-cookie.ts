import type { IncomingMessage } from 'node:http';
import { parse, serialize } from 'cookie';
import type { Response } from 'express';
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

  /** The refresh token of a request. The plain name, of earlier versions, is read where the present one is absent. */
  read(request: IncomingMessage, response: Response): string | undefined {
    const given = parse(request.headers.cookie ?? '');
    return given[this.#place(request, response).name] ?? given[PLAIN];
  }

  /** Sets it, and removes the one of the plain name where that is not the name. */
  set(request: IncomingMessage, response: Response, value: string, expires: Date): void {
    const place = this.#place(request, response);
    append(response, place, value, expires);
    if (place.name !== PLAIN && parse(request.headers.cookie ?? '')[PLAIN] !== undefined)
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
