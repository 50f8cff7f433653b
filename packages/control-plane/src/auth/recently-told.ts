/** The same is told again after this long. */
const AGAIN_AFTER_MS = 10 * 60_000;
/** Keys that are remembered; past it the one told longest ago is forgotten. */
const REMEMBERED = 1_000;

/** Bounds how often the same thing is reported, where strangers choose how often it happens. */
export class RecentlyTold {
  /** In the order in which they were told. */
  readonly #toldAt = new Map<string, number>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Whether it is to be told now; it counts as told then. */
  isNew(key: string): boolean {
    const now = this.#now();
    const toldAt = this.#toldAt.get(key);
    if (toldAt !== undefined && now - toldAt < AGAIN_AFTER_MS) return false;
    this.#toldAt.delete(key);
    this.#toldAt.set(key, now);
    if (this.#toldAt.size > REMEMBERED) {
      const oldest = this.#toldAt.keys().next().value;
      if (oldest !== undefined) this.#toldAt.delete(oldest);
    }
    return true;
  }
}
