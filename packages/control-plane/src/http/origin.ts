import type { IncomingMessage } from 'node:http';

/**
 * Whether a WebSocket upgrade may come from where it says it comes from. Browsers send an Origin with every one, and no
 * page can forge it; without one it is no browser, and nobody's cookies or tickets ride along.
 */
export function isOriginAllowed(request: IncomingMessage, allowedOrigins: ReadonlySet<string>): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined) return true;
  if (allowedOrigins.has(origin)) return true;
  if (!URL.canParse(origin) || host === undefined) return false;
  return new URL(origin).host === normalHost(host, origin);
}

/** The host as a URL of the same scheme has it: lower case, without the scheme's own port. */
function normalHost(host: string, origin: string): string | undefined {
  const url = `${new URL(origin).protocol}//${host}`;
  return URL.canParse(url) ? new URL(url).host : undefined;
}
