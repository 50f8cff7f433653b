/** Resolves after `ms`, or as soon as the signal aborts (without rejecting). Leaves no timer behind. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const finish = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal.addEventListener('abort', finish, { once: true });
  });
}

/**
 * Pauses between attempts with full jitter: each is random between 0 and a bound that doubles from `first` to
 * `longest`, so that a thousand agents that lost the same replica do not come back in the same second.
 */
export class Backoff {
  #bound: number;
  readonly #first: number;
  readonly #longest: number;
  readonly #random: () => number;

  constructor(options: { first: number; longest: number; random?: () => number }) {
    this.#first = options.first;
    this.#longest = options.longest;
    this.#bound = options.first;
    this.#random = options.random ?? Math.random;
  }

  /** The next pause, in ms. */
  next(): number {
    const pauseMs = Math.round(this.#random() * this.#bound);
    this.#bound = Math.min(this.#bound * 2, this.#longest);
    return pauseMs;
  }

  reset(): void {
    this.#bound = this.#first;
  }
}
