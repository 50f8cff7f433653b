import { checkLimit } from './limits.js';

/** Past this part of a budget windows stop growing, and new ones start small. */
const NEAR = 3 / 4;
/** What `growthBytes` is at most: the rest of the budget, so that growth never makes a new window a small one. */
const MAX_GROWTH = 1 - NEAR;
/** 50 initial windows and all of it are less than 25 MB: what 50 stalled viewers hold, whatever happened before. */
const GROWTH_BYTES = 11 * 1024 * 1024;
/** A stream has at most one part in so many of what all others have left of the pool: one alone gets nearly 4 MiB. */
const GROWTH_PARTS = 3;

/**
 * Bounds what far ends may send to this process unread: the sum of `limit - consumed` over all streams of all tunnels
 * that share it. A stream reserves its window here before it grants any of it, and gives it back when it is over.
 *
 * What windows have beyond their initial size comes from a pool of its own within the budget. A stream's share of it is
 * a third of what the others have left, as in a switch whose queues share one memory (Choudhury and Hahne, "Dynamic
 * queue length thresholds", 1998): n streams that want more than there is get `growthBytes / (n + 2)` each, and
 * there is always something left for the next.
 */
export interface CreditBudget {
  /** The bound. */
  readonly bytes: number;
  /** What streams have reserved, growth included. Never above `bytes`. */
  readonly usedBytes: number;
  /** The bound of the pool for growth. */
  readonly growthBytes: number;
  /** What streams have reserved of the pool. Never above `growthBytes`. */
  readonly growthUsedBytes: number;
  /**
   * Reserves `bytes` of windows up to their initial size, all or nothing.
   *
   * @param upTo `near`: only while a quarter of the budget stays free, growth aside, for what a stream can do without
   * @returns whether they were free
   */
  take(bytes: number, upTo: 'near' | 'full'): boolean;
  /** Gives back what was taken. @throws Error where it is more than was taken */
  give(bytes: number): void;
  /** The most that a stream may hold of the pool which holds `bytes` of it now. */
  growthShare(bytes: number): number;
  /**
   * Reserves `bytes` beyond a window's initial size, all or nothing, while a quarter of the budget stays free.
   *
   * @returns whether they were free
   */
  takeGrowth(bytes: number): boolean;
  /** Gives back what was taken for growth. @throws Error where it is more than was taken */
  giveGrowth(bytes: number): void;
}

export interface CreditBudgetOptions {
  /**
   * The bound in bytes. From three quarters of it on no window grows and new ones start at 16 KiB; past it streams are
   * refused with `limit_reached`. @default 268_435_456
   */
  bytes?: number;
  /**
   * How much of `bytes` all windows together may have beyond their initial size; at most a quarter of `bytes`, and 0 for
   * windows that never grow. Past a stream's share of it a window grows no more.
   * @default 11_534_336, or a quarter of `bytes` where that is less
   */
  growthBytes?: number;
}

/**
 * A budget for the tunnels of one process, given to each as its option `creditBudget`.
 *
 * @throws RangeError naming the option, what it was and what is allowed
 */
export function creditBudget(options: CreditBudgetOptions = {}): CreditBudget {
  const bytes = checkLimit('creditBudget.bytes', options.bytes ?? 256 * 1024 * 1024, Number.MAX_SAFE_INTEGER);
  const most = Math.floor(bytes * MAX_GROWTH);
  const growthBytes = options.growthBytes ?? Math.min(GROWTH_BYTES, most);
  if (growthBytes !== 0) checkLimit('creditBudget.growthBytes', growthBytes, most);
  return new SharedBudget(bytes, growthBytes);
}

class SharedBudget implements CreditBudget {
  #initialUsedBytes = 0;
  #growthUsedBytes = 0;

  constructor(
    readonly bytes: number,
    readonly growthBytes: number,
  ) {}

  get usedBytes(): number {
    return this.#initialUsedBytes + this.#growthUsedBytes;
  }

  get growthUsedBytes(): number {
    return this.#growthUsedBytes;
  }

  take(bytes: number, upTo: 'near' | 'full'): boolean {
    // Growth holds a quarter at most: what is near does not have to count it, and so never waits for it.
    const isFree =
      upTo === 'near'
        ? this.#initialUsedBytes + bytes <= this.bytes * NEAR
        : this.usedBytes + bytes <= this.bytes;
    if (isFree) this.#initialUsedBytes += bytes;
    return isFree;
  }

  give(bytes: number): void {
    this.#initialUsedBytes = left('give', this.#initialUsedBytes, bytes);
  }

  growthShare(bytes: number): number {
    return Math.floor((this.growthBytes - this.#growthUsedBytes + bytes) / GROWTH_PARTS);
  }

  takeGrowth(bytes: number): boolean {
    const isFree =
      this.#growthUsedBytes + bytes <= this.growthBytes && this.usedBytes + bytes <= this.bytes * NEAR;
    if (isFree) this.#growthUsedBytes += bytes;
    return isFree;
  }

  giveGrowth(bytes: number): void {
    this.#growthUsedBytes = left('giveGrowth', this.#growthUsedBytes, bytes);
  }
}

function left(method: string, used: number, given: number): number {
  if (!(given >= 0 && given <= used))
    throw new Error(
      `internal error: CreditBudget.${method} was given ${given} bytes, and ${used} are reserved`,
    );
  return used - given;
}
