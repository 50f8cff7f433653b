import { ExpiringMap } from './expiring-map.js';

/** The same is told again after this long. */
const AGAIN_AFTER_MS = 10 * 60_000;
/** Keys that are remembered; past it the one told longest ago is forgotten. */
const REMEMBERED = 1_000;

/** Bounds how often the same thing is reported, where strangers choose how often it happens. */
export class RecentlyTold {
  readonly #told: ExpiringMap<true>;

  constructor(now: () => number = () => performance.now()) {
    this.#told = new ExpiringMap({ limit: REMEMBERED, lifetimeMs: AGAIN_AFTER_MS, now });
  }

  /** Whether it is to be told now; it counts as told then. */
  isNew(key: string): boolean {
    if (this.#told.get(key)) return false;
    this.#told.set(key, true);
    return true;
  }
}
