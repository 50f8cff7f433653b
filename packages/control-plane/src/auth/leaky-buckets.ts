import { ExpiringMap } from './expiring-map.js';

export interface LeakyBucketsOptions {
  /** How many may come at once. */
  readonly capacity: number;
  /** One more may come after each of these, in ms. */
  readonly leakMs: number;
  /** Most buckets; past it the one that was used longest ago is forgotten. */
  readonly limit: number;
  readonly now: () => number;
}

interface Level {
  readonly level: number;
  readonly at: number;
}

/** A rate limit for each key: it lets a burst through, and then one at a time, and never closes. */
export class LeakyBuckets {
  readonly #options: LeakyBucketsOptions;
  readonly #levels: ExpiringMap<Level>;

  constructor(options: LeakyBucketsOptions) {
    this.#options = options;
    const { capacity, leakMs, limit, now } = options;
    // A full bucket is empty after this long: then forgetting it changes nothing.
    this.#levels = new ExpiringMap({ limit, lifetimeMs: capacity * leakMs, now });
  }

  get size(): number {
    return this.#levels.size;
  }

  level(key: string): number {
    const found = this.#levels.get(key);
    if (!found) return 0;
    return Math.max(0, found.level - (this.#options.now() - found.at) / this.#options.leakMs);
  }

  /** How many ms until one more may come; 0 for now. */
  waitMs(key: string): number {
    return Math.max(0, (this.level(key) + 1 - this.#options.capacity) * this.#options.leakMs);
  }

  /** Also past the capacity: what is taken back later leaves what was there before. */
  add(key: string): void {
    this.#set(key, this.level(key) + 1);
  }

  takeBack(key: string): void {
    this.#set(key, this.level(key) - 1);
  }

  delete(key: string): void {
    this.#levels.delete(key);
  }

  #set(key: string, level: number): void {
    if (level > 0) this.#levels.set(key, { level, at: this.#options.now() });
    else this.#levels.delete(key);
  }
}
