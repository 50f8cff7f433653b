import type { IncomingMessage } from 'node:http';
import { isIPv4, isIPv6 } from 'node:net';
import proxyAddr from 'proxy-addr';

/** Who sends a request, as far as the connection and the trusted proxies say. */
export interface Client {
  /** In canonical form, IPv4 where it is IPv4 mapped into IPv6. `undefined` where the peer is a Unix socket. */
  readonly address: string | undefined;
  readonly scheme: 'http' | 'https';
  /** False where the request came without TLS, and no trusted proxy said how it got it: `scheme` is then `http`. */
  readonly isSchemeKnown: boolean;
}

export type ClientOf = (request: IncomingMessage) => Client;

/** Whether the proxy at this address, that many proxies away (from 0), is trusted. */
export type Trust = (address: string, hop: number) => boolean;

/** A header of a proxy was ignored, since `trustProxy` does not name the peer that sent it. */
export interface IgnoredHeader {
  readonly header: 'X-Forwarded-For' | 'X-Forwarded-Proto';
  readonly peer: string | undefined;
}

/** Addresses of `X-Forwarded-For` that are looked at, from the right. Each proxy adds one. */
const ADDRESSES = 32;

/**
 * Makes the one function that says where a request comes from. It reads the raw request, so that HTTP requests and
 * upgrades are judged alike, whatever the settings of the app that the router is mounted in.
 *
 * @param trust `undefined` trusts no proxy
 * @param onIgnored called for each header of a proxy that is not trusted
 */
export function clientReader(
  trust: Trust | undefined,
  onIgnored: (ignored: IgnoredHeader) => void,
): ClientOf {
  return (request) => {
    const { remoteAddress } = request.socket;
    const peer = remoteAddress === undefined ? undefined : normalAddress(remoteAddress);
    const isTrusted = trust?.(peer ?? '', 0) ?? false;
    const forwardedFor = headerOf(request, 'x-forwarded-for');
    const forwardedProto = headerOf(request, 'x-forwarded-proto');
    if (!isTrusted) {
      if (forwardedFor !== undefined) onIgnored({ header: 'X-Forwarded-For', peer });
      else if (forwardedProto !== undefined) onIgnored({ header: 'X-Forwarded-Proto', peer });
    }
    const address = trust && isTrusted ? forwardedAddress(peer, forwardedFor ?? '', trust) : peer;
    if (isEncrypted(request)) return { address, scheme: 'https', isSchemeKnown: true };
    const told = isTrusted ? schemeOf(forwardedProto) : undefined;
    if (told) return { address, scheme: told, isSchemeKnown: true };
    // Directly from a client while the proxies are named: then it is no proxy that ended TLS.
    return { address, scheme: 'http', isSchemeKnown: trust !== undefined && !isTrusted };
  };
}

/** Node joins a header that came several times, except for a few. */
function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

/** The nearest address that is not a trusted proxy's. An entry that is not an address ends the list. */
function forwardedAddress(peer: string | undefined, header: string, trust: Trust): string | undefined {
  const addresses: string[] = [];
  for (const entry of lastEntries(header)) {
    const address = normalAddress(withoutPort(entry));
    if (address === undefined) break;
    addresses.unshift(address);
  }
  const seen = { headers: { 'x-forwarded-for': addresses.join(', ') }, socket: { remoteAddress: peer } };
  return proxyAddr(seen as unknown as IncomingMessage, trust) as string | undefined;
}

/** From the right: that is the order in which proxies added them. */
function* lastEntries(header: string): Generator<string> {
  let end = header.length;
  for (let count = 0; count < ADDRESSES && end > 0; count += 1) {
    const comma = header.lastIndexOf(',', end - 1);
    yield header.slice(comma + 1, end).trim();
    end = comma;
  }
}

/** `192.0.2.1:4711` and `[2001:db8::1]:4711`, as some proxies write them, without the port. */
function withoutPort(entry: string): string {
  const match = /^(?:\[([^\]]*)\]|([\d.]+))(?::\d{1,5})?$/.exec(entry);
  return match?.[1] ?? match?.[2] ?? entry;
}

/** Of a list the first: the proxy that the client spoke to. Some proxies name the scheme of WebSockets. */
function schemeOf(header: string | undefined): 'http' | 'https' | undefined {
  const first = header?.split(',', 1)[0]!.trim().toLowerCase();
  if (first === 'https' || first === 'wss') return 'https';
  if (first === 'http' || first === 'ws') return 'http';
  return undefined;
}

/** Whether TLS ends here, at this server. */
const isEncrypted = (request: IncomingMessage): boolean =>
  (request.socket as { encrypted?: unknown }).encrypted === true;

/** The canonical form of an IP address, without a zone; `undefined` for anything else. */
export function normalAddress(text: string): string | undefined {
  const bare = text.replace(/%.*$/, '');
  if (isIPv4(bare)) return bare;
  if (!isIPv6(bare)) return undefined;
  const canonical = new URL(`http://[${bare}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([\da-f]{1,4}):([\da-f]{1,4})$/.exec(canonical);
  if (!mapped) return canonical;
  const bytes = [mapped[1]!, mapped[2]!].map((part) => parseInt(part, 16)).flatMap((n) => [n >> 8, n & 255]);
  return bytes.join('.');
}
