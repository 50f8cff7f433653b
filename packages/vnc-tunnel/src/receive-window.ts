import { LIMITS } from '@streamspace/protocol';
import type { CreditBudget } from './credit-budget.js';
import { Pinger, type Path } from './round-trip.js';

/** What a window starts with where the budget is nearly used up, in bytes. */
const SMALL_WINDOW_BYTES = 16 * 1024;
/**
 * A CREDIT is due for this part of the window: what was consumed and not told of is missing on a long path, and where the
 * window is no multiple of it, that is up to all of one part.
 */
const CREDIT_PART = 1 / 8;
/** A CREDIT for less is not worth its frame, in bytes... */
const CREDIT_STEP_BYTES = 64 * 1024;
/** ...unless it is for this part of the window. */
const MAX_CREDIT_PART = 1 / 2;
/** A window that is used up within so many round trips is what holds the sender back. */
const GROW_WITHIN_ROUND_TRIPS = 4;
/**
 * Windows in a row that are timed together, at least. One may have lain here in full when it began; of two, one was
 * granted, sent and brought meanwhile.
 */
const EPOCH_WINDOWS = 2;
/**
 * On a shorter path windows do not grow, in ms: the first one carries 50 MB/s there. What uses it up faster is held
 * back by a processor, and a larger window would be a longer queue for everybody behind it and nothing else.
 */
const GROW_FROM_ROUND_TRIP_MS = 5;

/**
 * On a shorter path than this, in ms, a stream beside others has half of the initial window: it still carries 65 MB/s
 * and more, and what lies in kernel buffers before everybody else's bytes is half as much. Alone it would only cost.
 */
const HALVE_BELOW_ROUND_TRIP_MS = 2;

export interface ReceiveWindowOptions {
  readonly initialWindowBytes: number;
  readonly maxWindowBytes: number;
  readonly windowIdleMs: number;
  readonly budget: CreditBudget;
  readonly path: Path;
  /** Whether other streams have to wait behind this one. */
  readonly isShared: () => boolean;
  /** Monotonic time in ms. */
  readonly now: () => number;
}

/**
 * How much the far end of one stream may send: `limit`, which is what was consumed plus the window.
 *
 * The window starts at `initialWindowBytes` and is doubled each time when two in a row are used up within four round
 * trips of the path each, up to `maxWindowBytes` and to its share of the budget's pool for growth; where that share has
 * become less it shrinks to it. After `windowIdleMs` without traffic it is the initial one again. Beside other streams on
 * a path of less than 2 ms it is half of the initial one, once that is known. Nothing granted is withdrawn: where the
 * window has become smaller, `limit` stays where it is until consumption has caught up, and what is still granted
 * stays reserved.
 *
 * It keeps no timer: idleness is seen when traffic goes on, and until then nothing is granted.
 *
 * States: `open` → `released` (the stream is over: nothing is reserved any more, and what its reader still consumes
 * changes nothing).
 */
export class ReceiveWindow {
  #status: 'open' | 'released' = 'open';
  #size: number;
  /** Taken from the budget: the window, or what is still granted of a larger one. */
  #reserved: number;
  #consumed = 0;
  /** What the far end was last told of `#consumed`. */
  #announced = 0;
  #limit: number;
  #activeAt: number;
  /** When and where the far end began to use the window up. */
  #epochAt: number;
  #epochStart = 0;
  /** What was granted when it began: bytes below it may have lain here already. */
  #epochLimit: number;
  readonly #pinger: Pinger;

  /** @returns `undefined` where the budget has no room for another stream */
  static reserve(options: ReceiveWindowOptions): ReceiveWindow | undefined {
    const { budget, initialWindowBytes } = options;
    if (budget.take(initialWindowBytes, 'near')) return new ReceiveWindow(options, initialWindowBytes);
    const small = Math.min(initialWindowBytes, SMALL_WINDOW_BYTES);
    return budget.take(small, 'full') ? new ReceiveWindow(options, small) : undefined;
  }

  private constructor(
    private readonly options: ReceiveWindowOptions,
    reserved: number,
  ) {
    this.#pinger = new Pinger(options.path);
    this.#size = reserved;
    this.#reserved = reserved;
    this.#limit = reserved;
    this.#activeAt = options.now();
    this.#epochAt = this.#activeAt;
    this.#epochLimit = reserved;
  }

  /** The far end may send below. */
  get limit(): number {
    return this.#limit;
  }

  /** What the reader has dealt with, in bytes from the start. */
  get consumedBytes(): number {
    return this.#consumed;
  }

  /** What the far end was told of it last. */
  get announcedBytes(): number {
    return this.#announced;
  }

  /** `limit - consumed`: what the far end may still cause to be held here, in bytes. */
  get grantedBytes(): number {
    return this.#limit - this.#consumed;
  }

  /** What is to be granted beyond what is consumed, in bytes. */
  get size(): number {
    return this.#size;
  }

  /** Counts bytes that arrived. @returns the nonce of a PING to send, if one is due */
  received(bytes: number): number | undefined {
    const now = this.#active();
    return this.#size < this.options.maxWindowBytes ? this.#pinger.received(bytes, now) : undefined;
  }

  /** Takes a PONG. @returns whether it answers the last PING */
  pong(nonce: number): boolean {
    return this.#pinger.pong(nonce, this.options.now());
  }

  /** Counts bytes that the reader has dealt with. @returns whether the far end should be told now */
  consumed(bytes: number): boolean {
    if (bytes === 0 || this.#status === 'released') return false;
    const now = this.#active();
    this.#consumed += bytes;
    if (this.#isEpochOver) this.#endEpoch(now);
    this.#reserveNoMoreThan(Math.max(this.#size, this.grantedBytes));
    const step = Math.min(
      Math.max(this.#size * CREDIT_PART, CREDIT_STEP_BYTES),
      this.#size * MAX_CREDIT_PART,
    );
    return this.#consumed - this.#announced >= step || this.#size - this.grantedBytes >= this.#size / 2;
  }

  /** What to tell the far end, which counts as told. */
  announce(): { consumed: number; limit: number } {
    this.#announced = this.#consumed;
    this.#limit = Math.max(this.#limit, Math.min(this.#consumed + this.#size, LIMITS.offset));
    return { consumed: this.#consumed, limit: this.#limit };
  }

  /** The stream is over: its part of the budget is free. Idempotent. */
  release(): void {
    this.#status = 'released';
    this.#reserveNoMoreThan(0);
  }

  #active(): number {
    const now = this.options.now();
    if (now - this.#activeAt > this.options.windowIdleMs) {
      this.#size = Math.min(this.#size, this.options.initialWindowBytes);
      this.#startEpoch(now);
    }
    this.#activeAt = now;
    return now;
  }

  /** More than one grant ago: see EPOCH_WINDOWS, and of the larger window of before all may have lain here. */
  get #isEpochOver(): boolean {
    return (
      this.#consumed - this.#epochStart >= this.#size * EPOCH_WINDOWS && this.#consumed > this.#epochLimit
    );
  }

  #endEpoch(now: number): void {
    const { initialWindowBytes, path } = this.options;
    const epochMs = now - this.#epochAt;
    // Some of it was granted, sent and brought meanwhile, so that a PING which was slow because a process was busy does
    // not pass for a long path.
    path.atMost(epochMs, now);
    const { roundTripMs } = path;
    const isHalved = path.known && roundTripMs < HALVE_BELOW_ROUND_TRIP_MS && this.options.isShared();
    const ordinary = isHalved ? Math.ceil(initialWindowBytes / 2) : initialWindowBytes;
    const isHoldingBack =
      roundTripMs >= GROW_FROM_ROUND_TRIP_MS &&
      epochMs / EPOCH_WINDOWS < GROW_WITHIN_ROUND_TRIPS * roundTripMs;
    if (this.#size < ordinary || isHalved) this.#resize(ordinary);
    else this.#resize(Math.min(isHoldingBack ? this.#size * 2 : this.#size, this.#largest));
    this.#startEpoch(now);
  }

  #startEpoch(now: number): void {
    this.#epochAt = now;
    this.#epochStart = this.#consumed;
    this.#epochLimit = this.#limit;
  }

  /** As large as the window may be now. */
  get #largest(): number {
    const { initialWindowBytes, maxWindowBytes, budget } = this.options;
    return Math.min(maxWindowBytes, initialWindowBytes + budget.growthShare(this.#growthIn(this.#reserved)));
  }

  /** How much of so many reserved bytes is from the pool for growth. */
  #growthIn(reserved: number): number {
    return Math.max(0, reserved - this.options.initialWindowBytes);
  }

  #resize(size: number): void {
    if (this.#reserve(size)) this.#size = size;
  }

  /** @returns whether at least so much is reserved now */
  #reserve(bytes: number): boolean {
    const more = bytes - this.#reserved;
    if (more <= 0) return true;
    const { budget } = this.options;
    // A window that grows has all of its initial size reserved.
    if (!(this.#growthIn(bytes) > 0 ? budget.takeGrowth(more) : budget.take(more, 'near'))) return false;
    this.#reserved = bytes;
    return true;
  }

  #reserveNoMoreThan(bytes: number): void {
    const spare = this.#reserved - bytes;
    if (spare <= 0) return;
    const growth = this.#growthIn(this.#reserved) - this.#growthIn(bytes);
    this.#reserved = bytes;
    this.options.budget.giveGrowth(growth);
    this.options.budget.give(spare - growth);
  }
}
