/** When a thread counts as frozen. */
export interface FreezeLimits {
  /** Ticks in a row without a beat. */
  readonly ticks: number;
  /** Length of a tick, in ms. */
  readonly tickMs: number;
  /** A tick that is later than this, in ms, begins the count again: the process was suspended. */
  readonly lateMs: number;
}

/** Counts how long a thread has not beaten, in ticks of the thread that watches it. */
export class FreezeCount {
  constructor(limits: FreezeLimits);
  /** Takes one tick at `now`, in ms of a monotonic clock; returns whether the watched thread counts as frozen. */
  tick(now: number, beat: number): boolean;
}
