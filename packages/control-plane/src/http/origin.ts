import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import { Refusal } from '../domain/errors.js';

/**
 * Whether a request may come from where it says it comes from. Browsers send an Origin with every upgrade and every POST, and no
 * page can forge it; without one it is no browser, and nobody's cookies or tickets ride along.
 */
export function isOriginAllowed(request: IncomingMessage, allowedOrigins: ReadonlySet<string>): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined) return true;
  if (allowedOrigins.has(origin)) return true;
  if (!URL.canParse(origin) || host === undefined) return false;
  return new URL(origin).host === normalHost(host, origin);
}

/**
 * Lets only requests through that pages of ours, of allowed origins, or no page at all have made. Where a browser sends
 * no Origin, what it says of the page's site decides.
 *
 * @throws Refusal `origin_not_allowed`
 */
export const ownPagesOnly =
  (allowedOrigins: ReadonlySet<string>): RequestHandler =>
  (request, _response, next) => {
    const { origin } = request.headers;
    const site = request.headers['sec-fetch-site'];
    const isForeign = origin === undefined && site !== undefined && site !== 'same-origin' && site !== 'none';
    if (isForeign || !isOriginAllowed(request, allowedOrigins)) {
      const page = origin === undefined ? 'another site' : origin.slice(0, 200);
      throw new Refusal('origin_not_allowed', `Pages of ${page} may not use this browser’s login.`);
    }
    next();
  };

/** The host as a URL of the same scheme has it: lower case, without the scheme's own port. */
function normalHost(host: string, origin: string): string | undefined {
  const url = `${new URL(origin).protocol}//${host}`;
  return URL.canParse(url) ? new URL(url).host : undefined;
}
