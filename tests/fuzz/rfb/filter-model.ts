import type { RfbPolicy } from '@streamspace/rfb';
import type { ViewerLimits } from './viewer-traffic.js';
import { u16, u32 } from './wire.js';

const EXTENDED_CLIPBOARD = -0x3f5e1a32;
const EXTENDED_MOUSE_BUTTONS = -316;
/** Keys, pointer, clipboard, power, size, and the input devices of GII and QEMU. */
const NOT_FOR_WATCHERS = [4, 5, 6, 250, 251, 253, 255];
const IS_ACTIVITY = [4, 5, 6, 253, 255];
const FIXED: Readonly<Record<number, number>> = { 0: 20, 3: 10, 4: 8, 5: 6, 150: 10, 250: 4 };

export interface PolicyChange {
  /** The first byte that it is in force for. */
  readonly at: number;
  readonly policy: RfbPolicy;
}

export interface Passed {
  /** What has passed for certain. */
  readonly certain: Uint8Array;
  /** What may have passed after it, from its start on: of a message that is not whole, or before one that is refused. */
  readonly perhaps: Uint8Array;
  /** What ended the stream. */
  readonly failure: string | undefined;
  /** Whether the last message is whole; the counts hold then. */
  readonly isWhole: boolean;
  readonly dropped: number;
  readonly inputs: number;
}

type Extent = { bytes: number } | { failure: string } | 'more';

/** How long the message at the start of `at` is. */
function extent(view: DataView, limits: ViewerLimits): Extent {
  const sized = (head: number, count: () => number, unit: number, limit: number): Extent => {
    if (view.byteLength < head) return 'more';
    if (count() > limit) return { failure: 'limit_exceeded' };
    return { bytes: head + count() * unit };
  };
  const type = view.getUint8(0);
  const fixed = FIXED[type];
  if (fixed !== undefined) return { bytes: fixed };
  switch (type) {
    case 2:
      return sized(4, () => view.getUint16(2), 4, limits.encodings);
    case 6:
      return sized(8, () => Math.abs(view.getInt32(4)), 1, Infinity);
    case 248:
      return sized(9, () => view.getUint8(8), 1, limits.fenceBytes);
    case 251:
      return sized(8, () => view.getUint8(6), 16, limits.screens);
    case 253:
      return sized(4, () => view.getUint16(2, view.getUint8(1) < 128), 1, 0xffff);
    case 255:
      if (view.byteLength < 2) return 'more';
      return view.getUint8(1) === 0 ? { bytes: 12 } : { failure: 'unknown_message' };
    default:
      return { failure: 'unknown_message' };
  }
}

const knowsExtended = ({ role, clipboard }: RfbPolicy): boolean => role === 'control' && clipboard === 'both';

function announcement(encodings: readonly number[], padding: number, policy: RfbPolicy): number[] {
  const left = encodings.filter(
    (encoding) =>
      encoding !== EXTENDED_MOUSE_BUTTONS && (encoding !== EXTENDED_CLIPBOARD || knowsExtended(policy)),
  );
  return [2, padding, ...u16(left.length), ...left.flatMap(u32)];
}

/**
 * What a filter has to let pass of a client's bytes after the handshake, said over the whole stream at once.
 *
 * @param policies in force, the first from byte 0 on
 */
export function whatPasses(
  bytes: Uint8Array,
  policies: readonly PolicyChange[],
  limits: ViewerLimits,
): Passed {
  const policyAt = (at: number): RfbPolicy => policies.findLast((change) => change.at <= at)!.policy;
  const certain: number[] = [];
  let perhaps: number[] = [];
  let announced: number[] | undefined;
  let extendedGiven = false;
  let dropped = 0;
  let inputs = 0;
  const done = (failure: string | undefined, isWhole: boolean): Passed => ({
    certain: Uint8Array.from(certain),
    perhaps: Uint8Array.from(perhaps),
    failure,
    isWhole,
    dropped,
    inputs,
  });
  for (let at = 0; at < bytes.length;) {
    const policy = policyAt(at);
    const again: number[] = [];
    if (announced?.includes(EXTENDED_CLIPBOARD) && knowsExtended(policy) !== extendedGiven) {
      again.push(...announcement(announced, 0, policy));
      extendedGiven = knowsExtended(policy);
    }
    const rest = bytes.subarray(at);
    const view = new DataView(rest.buffer, rest.byteOffset, rest.length);
    const type = rest[0]!;
    const length = extent(view, limits);
    perhaps = again;
    if (length !== 'more' && 'failure' in length) return done(length.failure, false);
    const size = length === 'more' ? Infinity : length.bytes;
    const isWhole = size <= rest.length;

    let passes = policy.role === 'view' ? !NOT_FOR_WATCHERS.includes(type) : true;
    if (type === 6 && policy.clipboard !== 'both' && policy.clipboard !== 'in') passes = false;
    if (type === 6 && rest.length >= 8) {
      const length = view.getInt32(4);
      if (length < 0 && !extendedGiven) passes = false;
      if (Math.abs(length) > limits.cutTextBytes) passes = false;
    }
    if (!isWhole) {
      if (passes && type !== 2) perhaps = [...again, ...rest];
      return done(undefined, false);
    }

    certain.push(...again);
    perhaps = [];
    if (type === 2) {
      // Announced when it is whole, so that what was taken away meanwhile is not.
      const then = policyAt(at + size - 1);
      announced = Array.from({ length: view.getUint16(2) }, (_, index) => view.getInt32(4 + 4 * index));
      extendedGiven = knowsExtended(then) && announced.includes(EXTENDED_CLIPBOARD);
      certain.push(...announcement(announced, rest[1]!, then));
    } else if (passes) certain.push(...rest.subarray(0, size));
    if (!passes) dropped += 1;
    else if (IS_ACTIVITY.includes(type)) inputs += 1;
    at += size;
  }
  return done(undefined, true);
}
