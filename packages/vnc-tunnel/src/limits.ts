import { LIMITS } from '@streamspace/protocol';

/** Every limit of one tunnel, by name. */
export interface TunnelLimits {
  /** Most streams at once, both directions together. Past it an open is answered with `limit_reached`. @default 4_096 */
  streams: number;
  /** Most opens that wait for an answer, in each direction. Past it `limit_reached`. @default 256 */
  opensInFlight: number;
  /**
   * Most bytes that the tunnel keeps queued in the link, beyond the frame that passes it. Past it streams wait, so that
   * a control message on the same connection never has to. @default 131_072
   */
  socketQueueBytes: number;
  /**
   * Most bytes of small frames (answers, credit, resets) that wait for the link. Past it the link is closed with
   * `limitReached`: the far end asks without reading what it is answered. @default 1_048_576
   */
  controlQueueBytes: number;
  /**
   * Most frames of a known kind that cannot be read. Each costs its stream and is told to `onError`; past it the link is
   * closed with `protocolError`. @default 16
   */
  malformedFrames: number;
  /** The scheduler's quantum: most payload bytes of one DATA frame, one frame a turn. @default 65_510 */
  quantumBytes: number;
  /**
   * Credit that a new stream grants to its far end, in bytes: what may be held here unread. Half of it
   * beside other streams, once bulk has shown that the path is shorter than 2 ms. @default 262_144, or
   * `maxWindowBytes` where that is less
   */
  initialWindowBytes: number;
  /**
   * Largest window, in bytes. A window is doubled when two in a row are used up within four round trips each of a path of
   * 5 ms or more, while the credit budget has a share for it; at this size it stays. The same as `initialWindowBytes`:
   * windows are fixed. @default 4_194_304
   */
  maxWindowBytes: number;
  /** After so long without traffic, in ms, a stream is granted no more than the initial window again. @default 1_000 */
  windowIdleMs: number;
  /** How long the far end may take to answer an OPEN, in ms. Past it the open rejects with `timeout`. @default 10_000 */
  openTimeoutMs: number;
  /** How long `close` waits for what `onOpen` dialled to be released, in ms. Past it `onError` is told. @default 5_000 */
  closeTimeoutMs: number;
}

/** The most that a far end may grant beyond what it has consumed, in bytes. Past it: RESET `flow_control`. */
export const MAX_WINDOW_BYTES = 4 * 1024 * 1024;

const DEFAULTS: TunnelLimits = {
  streams: 4096,
  opensInFlight: 256,
  socketQueueBytes: 128 * 1024,
  controlQueueBytes: 1024 * 1024,
  malformedFrames: 16,
  quantumBytes: LIMITS.dataBytes,
  initialWindowBytes: LIMITS.initialWindowBytes,
  maxWindowBytes: MAX_WINDOW_BYTES,
  windowIdleMs: 1_000,
  openTimeoutMs: 10_000,
  closeTimeoutMs: 5_000,
};

/** Longest delay that a timer takes, in ms. */
export const MAX_DELAY_MS = 2 ** 31 - 1;

/** @throws RangeError naming the limit, what it was and what is allowed */
export function checkLimit(name: string, value: number, max: number): number {
  if (!Number.isSafeInteger(value) || value < 1 || value > max)
    throw new RangeError(`${name} must be a whole number from 1 to ${max}, not ${value}`);
  return value;
}

/** @throws RangeError naming the limit, what it was and what is allowed */
export function resolveTunnelLimits(given: Partial<TunnelLimits> = {}): TunnelLimits {
  const limits = { ...DEFAULTS };
  for (const name of Object.keys(DEFAULTS) as (keyof TunnelLimits)[]) {
    const value = given[name];
    if (value !== undefined) limits[name] = checkLimit(`limits.${name}`, value, highest(name));
  }
  const { initialWindowBytes, maxWindowBytes } = limits;
  if (given.initialWindowBytes === undefined)
    limits.initialWindowBytes = Math.min(initialWindowBytes, maxWindowBytes);
  else checkLimit('limits.initialWindowBytes', initialWindowBytes, maxWindowBytes);
  return limits;
}

function highest(name: keyof TunnelLimits): number {
  if (name === 'quantumBytes') return LIMITS.dataBytes;
  if (name.endsWith('WindowBytes')) return MAX_WINDOW_BYTES;
  return name.endsWith('Ms') ? MAX_DELAY_MS : LIMITS.offset;
}
