import { ExpiringMap } from './expiring-map.js';
import { LeakyBuckets } from './leaky-buckets.js';

/** How long a caller keeps its place, or the turn that it was given, after it last asked, in ms. */
export const HOLD_MS = 60_000;
/** Callers that wait in one line. */
export const PLACES = 1_024;
/** Lines that are remembered; past it the line that was used longest ago is forgotten. */
export const LINES = 1_000;

export interface RateLinesOptions {
  /** How many may go at once. */
  readonly capacity: number;
  /** One more may go after each of these, in ms. */
  readonly leakMs: number;
  /** Most counts that are remembered. */
  readonly limit: number;
  /** Callers with the same value share a turn in the line. */
  readonly crowdOf: (key: string) => string;
  readonly now: () => number;
}

interface Line {
  /** Per crowd, in the order of their turns: when each caller last asked, in the order in which they came. */
  readonly waiting: Map<string, Map<string, number>>;
  /** Turns that were given and not used yet, at most `PLACES`, oldest first: when their owner last asked. */
  readonly turns: Map<string, number>;
}

/**
 * Rate limits with a line in front of each, so that the next turn does not go to the caller that asks most often.
 *
 * A caller that asks while the limit is reached gets a place in the line. It holds no connection and starts no timer: the
 * caller asks again. A turn that becomes free is given to the crowd that waits first, and within it to the caller that
 * came first; the crowd then goes to the end. Turns are counted when they are given, so no pattern of asking gets more
 * turns than `capacity` and one for each `leakMs`.
 */
export class RateLines {
  readonly #options: RateLinesOptions;
  readonly #counts: LeakyBuckets;
  readonly #lines: ExpiringMap<Line>;

  constructor(options: RateLinesOptions) {
    const { now } = options;
    this.#options = options;
    this.#counts = new LeakyBuckets(options);
    this.#lines = new ExpiringMap({ limit: LINES, lifetimeMs: HOLD_MS, now });
  }

  /** Counts and lines that are held. */
  get size(): number {
    return this.#counts.size + this.#lines.size;
  }

  /**
   * Asks for a turn.
   *
   * @returns 0 when the caller has one; otherwise how long its turn is away as the line is now, in ms
   */
  ask(name: string, key: string): number {
    const { now, leakMs } = this.#options;
    const line = this.#lines.get(name) ?? { waiting: new Map(), turns: new Map() };
    this.#giveTurns(name, line);
    const wait = this.#counts.waitMs(name);
    if (!line.turns.has(key) && wait > 0) {
      const ahead = this.#place(line, key);
      this.#keep(name, line);
      return wait + ahead * leakMs;
    }
    if (!line.turns.has(key)) this.#counts.add(name);
    line.turns.set(key, now());
    const [oldest] = line.turns.keys();
    if (line.turns.size > PLACES && oldest !== undefined) line.turns.delete(oldest);
    this.#lines.set(name, line);
    return 0;
  }

  /** Uses the turn that the caller was given; counts one without. */
  use(name: string, key: string): void {
    const line = this.#lines.get(name);
    if (!line?.turns.delete(key)) this.#counts.add(name);
    if (line) this.#keep(name, line);
  }

  /** Takes one back that was counted. */
  takeBack(name: string): void {
    this.#counts.takeBack(name);
  }

  #keep(name: string, line: Line): void {
    if (line.waiting.size + line.turns.size > 0) this.#lines.set(name, line);
    else this.#lines.delete(name);
  }

  #isStale(askedAt: number): boolean {
    return this.#options.now() - askedAt >= HOLD_MS;
  }

  #giveTurns(name: string, { waiting, turns }: Line): void {
    for (const [key, askedAt] of turns) if (this.#isStale(askedAt)) turns.delete(key);
    while (this.#counts.waitMs(name) === 0) {
      const [first] = waiting;
      if (!first) return;
      const [crowd, callers] = first;
      waiting.delete(crowd);
      const next = this.#takeFirst(callers);
      if (callers.size > 0) waiting.set(crowd, callers);
      if (next === undefined) continue;
      turns.set(next, this.#options.now());
      this.#counts.add(name);
    }
  }

  /** The first caller that still asks; those before it lose their places. */
  #takeFirst(callers: Map<string, number>): string | undefined {
    for (const [key, askedAt] of callers) {
      callers.delete(key);
      if (!this.#isStale(askedAt)) return key;
    }
    return undefined;
  }

  /** @returns how many turns come before the caller's, at most; a caller without a place is behind all others */
  #place({ waiting }: Line, key: string): number {
    const { crowdOf, now } = this.#options;
    const crowd = crowdOf(key);
    const own = waiting.get(crowd);
    if (!own?.has(key) && !this.#hasRoom(waiting, own?.size ?? 0)) return PLACES;
    const callers = waiting.get(crowd) ?? new Map<string, number>();
    callers.set(key, now());
    waiting.set(crowd, callers);
    const inCrowd = [...callers.keys()].indexOf(key);
    let ahead = inCrowd;
    let isBefore = true;
    for (const [other, { size }] of waiting) {
      if (other === crowd) isBefore = false;
      else ahead += Math.min(size, isBefore ? inCrowd + 1 : inCrowd);
    }
    return ahead;
  }

  /** Makes room in a full line: stale places go first, then the newest of the largest crowd if that has more than `own`. */
  #hasRoom(waiting: Line['waiting'], own: number): boolean {
    if (placesIn(waiting) < PLACES) return true;
    for (const [crowd, callers] of waiting) {
      for (const [key, askedAt] of callers) if (this.#isStale(askedAt)) callers.delete(key);
      if (callers.size === 0) waiting.delete(crowd);
    }
    if (placesIn(waiting) < PLACES) return true;
    const largest = [...waiting.values()].reduce((most, one) => (one.size > most.size ? one : most));
    if (largest.size <= own + 1) return false;
    largest.delete([...largest.keys()].at(-1)!);
    return true;
  }
}

const placesIn = (waiting: Line['waiting']): number =>
  [...waiting.values()].reduce((sum, { size }) => sum + size, 0);
