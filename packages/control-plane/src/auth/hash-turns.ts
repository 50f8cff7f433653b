import { Refusal } from '../domain/errors.js';
import { widerGroup } from './address-group.js';
import { FairLine } from './fair-line.js';

/** Whom a hash is computed for. */
export interface Asker {
  /** The group of addresses that asks, as `addressGroup` names it. */
  readonly group: string;
  /** Whether that is known to be no stranger: a user who has logged in from there, or the holder of the setup link. */
  readonly isKnown: boolean;
}

/** Hashes computed at once: each takes 19 MiB and a thread for tens of milliseconds. */
export const RUNNING = 2;
/** Callers that may wait in each of the two lines, and of them those of one group of addresses. */
export const WAITING = 256;
export const WAITING_PER_GROUP = 32;
const LIMITS = { total: WAITING, perKey: WAITING_PER_GROUP, crowdOf: widerGroup };

interface Waiting {
  start(): void;
  refuse(): void;
}

/**
 * Gives turns for work that is expensive and that anybody can ask for.
 *
 * There are two lines, for known callers and for strangers, and in each of them groups of addresses take turns. While
 * both lines have callers they take turns too, so that neither starves. Where a line is full, the group with the most
 * callers in it loses its newest one, which is refused as `busy`; where each has one, the widest network does.
 */
export class HashTurns {
  readonly #known = new FairLine<Waiting>(LIMITS);
  readonly #strangers = new FairLine<Waiting>(LIMITS);
  #lastWasKnown = false;
  #running = 0;

  /** @throws Refusal `busy` */
  async take<T>(asker: Asker, work: () => Promise<T>): Promise<T> {
    if (this.#running < RUNNING) this.#running += 1;
    else await this.#wait(asker);
    try {
      return await work();
    } finally {
      const next = this.#next();
      if (next) next.start();
      else this.#running -= 1;
    }
  }

  #wait({ group, isKnown }: Asker): Promise<void> {
    return new Promise((resolve, reject) => {
      const line = isKnown ? this.#known : this.#strangers;
      const dropped = line.push(group, { start: resolve, refuse: () => reject(busy()) });
      dropped?.refuse();
    });
  }

  #next(): Waiting | undefined {
    const knownFirst = !this.#lastWasKnown || this.#strangers.size === 0;
    this.#lastWasKnown = knownFirst && this.#known.size > 0;
    return this.#lastWasKnown ? this.#known.shift() : (this.#strangers.shift() ?? this.#known.shift());
  }
}

const busy = (): Refusal =>
  new Refusal('busy', 'Too many others are waiting to log in.', {
    remedy: 'Try again in a moment.',
    retryAfterSeconds: 2,
  });
