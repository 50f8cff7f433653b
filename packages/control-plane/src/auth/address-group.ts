import { isIPv4, isIPv6 } from 'node:net';

const IPV6_GROUPS = 8;
/** A network of one customer (RFC 6177): its devices choose the other 64 bits as they like. */
const NETWORK_GROUPS = 4;
/** Longest text that is taken as it is, in characters. No IP address is longer (RFC 4291 section 2.2, with a zone). */
const LONGEST = 64;

/**
 * Who counts as one when attempts are counted and turns are given: an IPv4 address, or an IPv6 network of 64 bits.
 * IPv4 addresses that are mapped into IPv6 (RFC 4291 section 2.5.5.2) are IPv4 addresses.
 */
export function addressGroup(address: string): string {
  const [plain = ''] = address.split('%');
  if (!isIPv6(plain)) return address.slice(0, LONGEST);
  const groups = groupsOf(plain);
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff)
    return [groups[6]! >> 8, groups[6]! & 0xff, groups[7]! >> 8, groups[7]! & 0xff].join('.');
  const network = groups.slice(0, NETWORK_GROUPS).map((group) => group.toString(16));
  return `${network.join(':')}::/64`;
}

/** The network around a group: 48 bits of IPv6 (the most that a customer gets, RFC 6177), 24 bits of IPv4. */
export function widerGroup(group: string): string {
  const ipv6 = /^([0-9a-f]+:[0-9a-f]+:[0-9a-f]+):[0-9a-f]+::\/64$/.exec(group);
  if (ipv6) return `${ipv6[1]}::/48`;
  return isIPv4(group) ? `${group.slice(0, group.lastIndexOf('.'))}.0/24` : group;
}

/** The eight groups of 16 bits. A URL writes them without an IPv4 part, and the longest run of zeros as `::`. */
function groupsOf(address: string): number[] {
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const numbers = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
  if (tail === undefined) return numbers(head);
  const [left, right] = [numbers(head), numbers(tail)];
  return [...left, ...new Array<number>(IPV6_GROUPS - left.length - right.length).fill(0), ...right];
}
