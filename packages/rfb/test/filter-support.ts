import {
  RfbPolicyFilter,
  writeSecurityResult,
  writeVersion,
  type RfbPolicy,
  type RfbPolicyFilterOptions,
} from '@streamspace/rfb';

export const control: RfbPolicy = { role: 'control', clipboard: 'both' };
export const view: RfbPolicy = { role: 'view', clipboard: 'none' };
export const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
export const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A filter after a 3.8 handshake without authentication. */
export function opened(policy: RfbPolicy, options?: RfbPolicyFilterOptions): RfbPolicyFilter {
  const filter = new RfbPolicyFilter(policy, options);
  filter.fromServer(writeVersion(8));
  filter.fromClient(writeVersion(8));
  filter.fromServer(bytes(1, 1));
  filter.fromClient(bytes(1));
  filter.fromServer(writeSecurityResult());
  filter.fromClient(bytes(1));
  return filter;
}

/** A source of numbers that a seed determines. */
export function picker(seed: number): (below: number) => number {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

export type Pick = (below: number) => number;
export const noise = (pick: Pick, count: number): Uint8Array =>
  Uint8Array.from({ length: count }, () => pick(256));
