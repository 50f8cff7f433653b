import { isIP } from 'node:net';
import proxyAddr from 'proxy-addr';
import type { Trust } from './client-address.js';
import { OWN_SEGMENTS } from './own-segments.js';

/** How people and proxies reach a control plane. */
export interface SiteOptions {
  /**
   * The address at which people open it: scheme, host, and the path where there is one, for example
   * `https://desk.example/vdi`. Cookies, links and the check of the Origin header follow from it; its path is the one
   * that browsers see, also where a proxy strips it. @default taken from each request
   */
  publicUrl?: string | undefined;
  /**
   * Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed: addresses, CIDRs and the names `loopback`,
   * `linklocal` and `uniquelocal`, as a list or with commas between; or how many proxies stand in front, from 1 to 32.
   *
   * @default none
   */
  trustProxy?: number | string | readonly string[] | undefined;
  /**
   * Names by which it may be reached besides IP addresses, loopback names and the host of `publicUrl`:
   * `desk.example`, or `*.desk.example` for all names below it; as a list or with commas between. A request with
   * another Host is answered with 421. @default none
   */
  hosts?: string | readonly string[] | undefined;
}

/** The address at which people open it. */
export interface PublicUrl {
  /** Scheme, host and port as browsers send them. */
  readonly origin: string;
  readonly isHttps: boolean;
  /** Lower case, without a port. */
  readonly hostname: string;
  /** `''` at the root, else for example `/vdi`. */
  readonly path: string;
}

/** What one option was found to be: a value, or what is wrong with it, in words that follow its name. */
export type Parsed<T> = { readonly value: T } | { readonly problem: string };

/** What is wrong with these options, by name: `must be …; got ….` */
export function siteProblems(options: SiteOptions): Partial<Record<keyof SiteOptions, string>> {
  const found = {
    publicUrl: parsePublicUrl(options.publicUrl),
    trustProxy: parseTrustProxy(options.trustProxy),
    hosts: parseHosts(options.hosts),
  };
  return Object.fromEntries(
    Object.entries(found).flatMap(([name, parsed]) => ('problem' in parsed ? [[name, parsed.problem]] : [])),
  );
}

const HOSTNAME = /^(?:\[[\da-f:.]+\]|[a-z\d](?:[a-z\d_.-]*[a-z\d])?)$/;
const PATH = /^(?:\/[A-Za-z\d._~-]+)*$/;

const OWN_PATHS = [...OWN_SEGMENTS].map((segment) => `/${segment}`).join(', ');

export function parsePublicUrl(value: unknown): Parsed<PublicUrl | undefined> {
  if (value === undefined) return { value: undefined };
  const problem =
    'must be the address at which people open it, of http or https, with at most a path of letters, digits and ' +
    `. _ ~ - after the host, for example https://desk.example or https://desk.example/vdi; got ${shown(value)}.`;
  if (
    typeof value !== 'string' ||
    !/^https?:\/\/[^/\\?#@\s]+(?:\/[^\\?#]*)?$/i.test(value) ||
    !URL.canParse(value)
  )
    return { problem };
  const { protocol, hostname, pathname, origin } = new URL(value);
  const path = pathname.replace(/\/+$/, '');
  if (!HOSTNAME.test(hostname) || !PATH.test(path)) return { problem };
  // Routers take paths in any case. Such a request could be for the mount, or for what is below it.
  if (OWN_SEGMENTS.has((path.split('/')[1] ?? '').toLowerCase()))
    return {
      problem:
        `must be an address whose path does not begin with ${OWN_PATHS}, which StreamSpace serves below it; ` +
        `got ${shown(value)}. Choose another path, for example /vdi.`,
    };
  return { value: { origin, isHttps: protocol === 'https:', hostname, path } };
}

/** More proxies than stand in front of anything. */
const MOST_HOPS = 32;
const PRESETS: ReadonlySet<string> = new Set(['loopback', 'linklocal', 'uniquelocal']);

export function parseTrustProxy(value: unknown): Parsed<Trust | undefined> {
  if (value === undefined) return { value: undefined };
  const expected =
    `must be addresses, CIDRs, loopback, linklocal or uniquelocal, with commas between, or the number of proxies ` +
    `from 1 to ${MOST_HOPS}`;
  const refuse = (got: unknown, why = ''): { problem: string } => ({
    problem: `${expected}; got ${shown(got)}.${why}`,
  });
  if (value === true || value === 'true')
    return refuse(value, ' Trusting every peer would let each client choose the address it is known by.');
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text === 'string' && /^\s*\d+\s*$/.test(text)) {
    const hops = Number(text);
    if (hops < 1 || hops > MOST_HOPS) return refuse(value);
    return { value: (_address, hop) => hop < hops };
  }
  const entries = listOf(text);
  if (!entries || entries.length === 0) return refuse(value);
  for (const entry of entries) if (!isTrustEntry(entry)) return refuse(entry);
  return { value: proxyAddr.compile(entries) };
}

function isTrustEntry(entry: string): boolean {
  if (PRESETS.has(entry)) return true;
  const [address = '', bits, ...more] = entry.split('/');
  const family = isIP(address);
  if (family === 0 || address.includes('%') || more.length > 0) return false;
  if (bits === undefined) return true;
  return /^\d{1,3}$/.test(bits) && Number(bits) >= 1 && Number(bits) <= (family === 4 ? 32 : 128);
}

const HOST_PATTERN = /^(?:\*\.)?[a-z\d_](?:[a-z\d_-]*[a-z\d_])?(?:\.[a-z\d_](?:[a-z\d_-]*[a-z\d_])?)*$/;

export function parseHosts(value: unknown): Parsed<readonly string[]> {
  if (value === undefined) return { value: [] };
  const entries = listOf(value)?.map((entry) => entry.toLowerCase());
  const wrong = entries ? entries.find((entry) => !HOST_PATTERN.test(entry)) : value;
  if (entries && wrong === undefined) return { value: entries };
  const expected =
    'must be host names without scheme or port, such as desk.example, or *.desk.example for all names below it, ' +
    'with commas between';
  return { problem: `${expected}; got ${shown(wrong)}.` };
}

/** A list, or a text with commas between; `undefined` for anything else. */
function listOf(value: unknown): string[] | undefined {
  const parts: unknown = typeof value === 'string' ? value.split(',') : value;
  if (!Array.isArray(parts) || !parts.every((part) => typeof part === 'string')) return undefined;
  return parts.flatMap((part: string) => part.trim() || []);
}

const SHOWN_CHARS = 200;
const shown = (value: unknown): string => (JSON.stringify(value) ?? String(value)).slice(0, SHOWN_CHARS);
