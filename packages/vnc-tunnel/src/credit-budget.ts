import { checkLimit } from './limits.js';

/** Past this part of a budget windows stop growing, and new ones start small. */
const NEAR = 3 / 4;

/**
 * Bounds what far ends may send to this process unread: the sum of `limit - consumed` over all streams of all tunnels
 * that share it. A stream reserves its window here before it grants any of it, and gives it back when it is over.
 */
export interface CreditBudget {
  /** The bound. */
  readonly bytes: number;
  /** What streams have reserved. Never above `bytes`. */
  readonly usedBytes: number;
  /**
   * Reserves `bytes`, all or nothing.
   *
   * @param upTo `near`: only while a quarter of the budget stays free, for what a stream can do without
   * @returns whether they were free
   */
  take(bytes: number, upTo: 'near' | 'full'): boolean;
  /** Gives back what was taken. */
  give(bytes: number): void;
}

export interface CreditBudgetOptions {
  /**
   * The bound in bytes. From three quarters of it on no window grows and new ones start at 16 KiB; past it streams are
   * refused with `limit_reached`. @default 268_435_456
   */
  bytes?: number;
}

/** A budget for the tunnels of one process, given to each as its option `creditBudget`. */
export function creditBudget({ bytes = 256 * 1024 * 1024 }: CreditBudgetOptions = {}): CreditBudget {
  return new SharedBudget(checkLimit('creditBudget.bytes', bytes, Number.MAX_SAFE_INTEGER));
}

class SharedBudget implements CreditBudget {
  #usedBytes = 0;

  constructor(readonly bytes: number) {}

  get usedBytes(): number {
    return this.#usedBytes;
  }

  take(bytes: number, upTo: 'near' | 'full'): boolean {
    const used = this.#usedBytes + bytes;
    if (used > (upTo === 'near' ? this.bytes * NEAR : this.bytes)) return false;
    this.#usedBytes = used;
    return true;
  }

  give(bytes: number): void {
    this.#usedBytes -= bytes;
  }
}
