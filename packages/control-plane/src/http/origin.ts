import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import { Refusal } from '../domain/errors.js';

/**
 * Whether a text is an origin as browsers send it, of http or https: scheme, host and port in their shortest form, and
 * nothing else. A host with a trailing dot is none, though it finds the same machine.
 */
export function isWebOrigin(text: string): boolean {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) return false;
  const { origin, hostname } = new URL(text);
  return origin === text && !hostname.endsWith('.');
}

/**
 * Whether a request may come from where it says it comes from. Browsers send an Origin with every upgrade and every
 * POST, and no page can forge it; without one it is no browser, and nobody's cookies or tickets ride along.
 *
 * Pages of the host that the request names may: of https where this server itself speaks TLS, of http and https where
 * it does not, since a proxy in front may.
 */
export function isOriginAllowed(request: IncomingMessage, allowedOrigins: ReadonlySet<string>): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined) return true;
  if (allowedOrigins.has(origin)) return true;
  if (host === undefined || !isWebOrigin(origin)) return false;
  const { protocol, host: from } = new URL(origin);
  if (isEncrypted(request) && protocol !== 'https:') return false;
  return from === normalHost(host, protocol);
}

const SHOWN_CHARS = 200;

/** For operators: where a refused request came from, and what is allowed. */
export function originRefusal(request: IncomingMessage, allowedOrigins: ReadonlySet<string>): string {
  const { origin = '', host = '' } = request.headers;
  const schemes = isEncrypted(request) ? 'https' : 'http and https';
  const allowed = [`pages of ${JSON.stringify(host.slice(0, SHOWN_CHARS))} by ${schemes}`, ...allowedOrigins];
  const list = allowed.join(', ').slice(0, 2 * SHOWN_CHARS);
  return `Origin ${JSON.stringify(origin.slice(0, SHOWN_CHARS))} may not open viewers; allowed are ${list}.`;
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
      const page = origin === undefined ? 'another site' : origin.slice(0, SHOWN_CHARS);
      throw new Refusal('origin_not_allowed', `Pages of ${page} may not use this browser’s login.`);
    }
    next();
  };

/** Whether TLS ends here, at this server. */
const isEncrypted = (request: IncomingMessage): boolean =>
  (request.socket as { encrypted?: unknown } | undefined)?.encrypted === true;

/** The host as a URL of that scheme has it: lower case, without the scheme's own port. */
function normalHost(host: string, protocol: string): string | undefined {
  const url = `${protocol}//${host}`;
  return URL.canParse(url) ? new URL(url).host : undefined;
}
