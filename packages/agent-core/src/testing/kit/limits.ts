/** How long the kit waits for what, in ms. Past each, the case fails and says what it waited for. */
export interface KitLimits {
  /** A call of the platform, or of the fixture. */
  readonly callMs: number;
  /** An aborted call, from the abort until it has settled. */
  readonly abortMs: number;
  /** How long a start or a wake that resolves all the same may have gone on after an abort. */
  readonly noticeMs: number;
  /** Bytes over a stream, and a stream's end. */
  readonly streamMs: number;
  /** Leftovers to be gone, after the call that had to remove them. */
  readonly releaseMs: number;
  /** A change that happened by itself to be seen. */
  readonly eventMs: number;
}

const USUAL: KitLimits = {
  callMs: 8_000,
  abortMs: 5_000,
  noticeMs: 200,
  streamMs: 3_000,
  releaseMs: 3_000,
  eventMs: 3_000,
};

/** @throws RangeError where `slowness` is not a positive number */
export function kitLimits(slowness = 1): KitLimits {
  if (!(slowness > 0 && slowness <= 1_000))
    throw new RangeError(`slowness is ${slowness}; allowed is a number above 0, at most 1000`);
  const scaled = Object.entries(USUAL).map(([name, ms]) => [name, Math.ceil(ms * slowness)]);
  return Object.fromEntries(scaled) as unknown as KitLimits;
}
