import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../../fuzz/random.js';
import type { EventOf, Wanted } from '../history.js';
import type { Api } from './api.js';

const CLIENTS = 6;
/** Longest pause of a client between two requests, in ms. */
const THINKING_MS = 400;
/** Sessions of one client at most. */
const SESSIONS = 60;

/** What a client may ask for next, by what it asked for last. */
const NEXT: Readonly<Record<Wanted, readonly Wanted[]>> = {
  running: ['terminated', 'hibernated'],
  hibernated: ['woken', 'woken', 'terminated'],
  woken: ['terminated', 'hibernated'],
  terminated: ['running'],
};

/** Clients that start, hibernate, wake and stop sessions until they are told to end, each its own; notes what they were promised. */
export class Load {
  readonly promised: EventOf<'requested'>[] = [];
  #ending = false;
  readonly #clients: Promise<void>[];
  readonly #api: Api;

  constructor(api: Api, seed: number) {
    this.#api = api;
    this.#clients = Array.from({ length: CLIENTS }, (_, index) =>
      this.#client(index, Random.of(seed, 'client', index)),
    );
    // Whoever fails is heard of when the load ends.
    for (const client of this.#clients) client.catch(() => undefined);
  }

  /** Resolves when every client has been told yes to what it asked for. */
  async end(): Promise<void> {
    this.#ending = true;
    await Promise.all(this.#clients);
  }

  async #client(index: number, random: Random): Promise<void> {
    for (let session = 0; session < SESSIONS && !this.#ending; session++) {
      const sessionId = `c${index}-${session}`;
      const changes = 1 + random.upTo(4);
      let wanted: Wanted = 'terminated';
      for (let change = 0; change < changes; change++) {
        wanted = random.pick(NEXT[wanted]);
        await this.#ask(sessionId, wanted);
        this.promised.push({ kind: 'requested', sessionId, wanted });
        await sleep(random.upTo(THINKING_MS));
      }
    }
  }

  #ask(sessionId: string, wanted: Wanted): Promise<void> {
    switch (wanted) {
      case 'running':
        return this.#api.start(sessionId);
      case 'terminated':
        return this.#api.stop(sessionId);
      case 'hibernated':
        return this.#api.change(sessionId, 'hibernate');
      case 'woken':
        return this.#api.change(sessionId, 'wake');
    }
  }
}
