import type { IncomingMessage } from 'node:http';
import { isIPv4, isIPv6 } from 'node:net';
import { Refusal } from '../domain/errors.js';

/** Longest part of a host or an origin that is repeated in answers and logs. */
export const SHOWN_CHARS = 200;

const HOST = /^(?:\[([\da-f:.]+)\]|([a-z\d_](?:[a-z\d_.-]*[a-z\d_])?))(?::\d{1,5})?$/i;

/**
 * Whether a Host header names this server.
 *
 * A page of another site that has its name resolve to this machine (DNS rebinding) sends that name. It cannot send an
 * IP address or a loopback name, since browsers resolve neither by DNS.
 *
 * @param names lower case; `*.desk.example` stands for all names below it
 */
export function isHostAllowed(host: string, names: readonly string[]): boolean {
  const match = HOST.exec(host);
  if (!match) return false;
  if (match[1] !== undefined) return isIPv6(match[1]);
  const name = match[2]!.toLowerCase();
  if (isIPv4(name) || name === 'localhost' || name.endsWith('.localhost')) return true;
  return names.some((allowed) =>
    allowed.startsWith('*.')
      ? name.endsWith(allowed.slice(1)) && name.length >= allowed.length
      : name === allowed,
  );
}

/**
 * Why a request is not for this server; `undefined` where it is. The target of a proxy's request may name a host too
 * (RFC 9112 section 3.2.2): then both have to be right.
 *
 * @param target the request's target as it was sent
 */
export function hostRefusal(
  request: IncomingMessage,
  target: string,
  names: readonly string[],
): Refusal | undefined {
  const given = hostsOf(request);
  if (given.length > 1)
    return new Refusal('bad_request', 'A request must have one Host header; got several.');
  const [host = ''] = given;
  const wrong = [host, ...authorityOf(target)].find((one) => !isHostAllowed(one, names));
  if (wrong === undefined) return undefined;
  const what =
    wrong === '' ? 'A request without a Host' : `The Host ${JSON.stringify(wrong.slice(0, SHOWN_CHARS))}`;
  return new Refusal('host_not_allowed', `${what} is not accepted by this server.`, { remedy: HOST_REMEDY });
}

export const HOST_REMEDY =
  'Whoever runs this server: set PUBLIC_URL (option publicUrl) to the address at which people open it, or add the ' +
  'name to ALLOWED_HOSTS (option hosts). Behind a proxy, have it pass on the Host header.';

/** All of them: of `headers`, which has the first only, the others would go unseen. */
function hostsOf({ rawHeaders }: IncomingMessage): string[] {
  const hosts: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2)
    if (rawHeaders[at]!.toLowerCase() === 'host') hosts.push(rawHeaders[at + 1]!);
  return hosts;
}

/** Scheme and host of a target in absolute form; nothing for a path. */
function authorityOf(target: string): string[] {
  if (target.startsWith('/') || target === '*') return [];
  const match = /^[a-z][a-z\d+.-]*:\/\/([^/?#]*)/i.exec(target);
  return [match?.[1] ?? target];
}
