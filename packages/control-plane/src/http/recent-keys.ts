/** Keys that are remembered at once; past it new ones wait until one is forgotten. */
const KEYS = 100;
const WINDOW_MS = 60_000;

/** Lets each key through once a minute, so that requests of strangers cannot fill a log. */
export class RecentKeys {
  /** In the order in which they were let through. */
  readonly #since = new Map<string, number>();
  #unnamed = 0;
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  isDue(key: string): boolean {
    const now = this.#now();
    for (const [old, since] of this.#since) {
      if (now - since < WINDOW_MS) break;
      this.#since.delete(old);
    }
    if (this.#since.has(key)) return false;
    if (this.#since.size >= KEYS) {
      this.#unnamed += 1;
      return false;
    }
    this.#since.set(key, now);
    return true;
  }

  /** How many calls found too many keys since this was asked last. */
  takeUnnamed(): number {
    const count = this.#unnamed;
    this.#unnamed = 0;
    return count;
  }
}
