import type { IncomingMessage } from 'node:http';
import { Refusal } from '../domain/errors.js';
import type { Client } from './client-address.js';
import { SHOWN_CHARS } from './hosts.js';
import type { Site } from './site.js';

/** Which pages may use this server. */
export interface OriginRule {
  /** Of `publicUrl`. Without it the origin follows from the Host and the scheme of the request. */
  readonly publicOrigin: string | undefined;
  /** Origins of other sites whose pages are as good as ours. */
  readonly allowedOrigins: ReadonlySet<string>;
  /** Who sends the request. */
  readonly client: Client;
}

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
 * With a public origin it must be that one. Without, it must be the Host's, of the scheme that the request came by, and
 * of either scheme where that is not known: a proxy that was not named may be in front.
 */
export function isOriginAllowed(request: IncomingMessage, rule: OriginRule): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined || rule.allowedOrigins.has(origin)) return true;
  if (rule.publicOrigin !== undefined) return origin === rule.publicOrigin;
  if (host === undefined || !isWebOrigin(origin)) return false;
  const { protocol, host: from } = new URL(origin);
  const { scheme, isSchemeKnown } = rule.client;
  if (isSchemeKnown && protocol !== `${scheme}:`) return false;
  return from === normalHost(host, protocol);
}

/** Why the page that sends a request may not; `undefined` where it may. */
export function originRefusal(request: IncomingMessage, rule: OriginRule): Refusal | undefined {
  if (isOriginAllowed(request, rule)) return undefined;
  const { origin = '', host = '' } = request.headers;
  const { scheme, isSchemeKnown } = rule.client;
  const ours =
    rule.publicOrigin ??
    `pages of ${JSON.stringify(host.slice(0, SHOWN_CHARS))} by ${isSchemeKnown ? scheme : 'http or https'}`;
  const list = [ours, ...rule.allowedOrigins].join(', ').slice(0, 2 * SHOWN_CHARS);
  return new Refusal(
    'origin_not_allowed',
    `Pages of ${JSON.stringify(origin.slice(0, SHOWN_CHARS))} may not use this server; allowed are ${list}.`,
    { remedy: ORIGIN_REMEDY },
  );
}

const ORIGIN_REMEDY =
  'Whoever runs this server: if people open it at that address, set PUBLIC_URL (option publicUrl) to it; if it is ' +
  'another site that may use this one, add it to STREAMSPACE_ALLOWED_ORIGINS (option allowedOrigins).';

/**
 * Lets only requests through that pages of ours, of allowed origins, or no page at all have made. Where a browser sends
 * no Origin, what it says of the page's site decides.
 *
 * @throws Refusal `origin_not_allowed`
 */
export function requireOwnPage(site: Site, request: IncomingMessage): void {
  const { origin } = request.headers;
  const fetchSite = request.headers['sec-fetch-site'];
  const isForeign =
    origin === undefined && fetchSite !== undefined && fetchSite !== 'same-origin' && fetchSite !== 'none';
  const refusal = isForeign
    ? new Refusal('origin_not_allowed', 'Pages of another site may not use this browser’s login.')
    : site.originRefusal(request);
  if (!refusal) return;
  site.noteOriginRefused(request, refusal);
  throw refusal;
}

/** The host as a URL of that scheme has it: lower case, without the scheme's own port. */
function normalHost(host: string, protocol: string): string | undefined {
  const url = `${protocol}//${host}`;
  return URL.canParse(url) ? new URL(url).host : undefined;
}
