import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../../fuzz/random.js';
import type { EventOf } from '../history.js';
import type { Api } from './api.js';

const CLIENTS = 6;
/** Longest pause of a client between two requests, in ms. */
const THINKING_MS = 400;
/** Sessions of one client at most. */
const SESSIONS = 60;

/** Clients that start and stop sessions until they are told to end, each its own; notes what they were promised. */
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
      for (let change = 0; change < changes; change++) {
        const wanted = change % 2 === 0 ? 'running' : 'terminated';
        await (wanted === 'running' ? this.#api.start(sessionId) : this.#api.stop(sessionId));
        this.promised.push({ kind: 'requested', sessionId, wanted });
        await sleep(random.upTo(THINKING_MS));
      }
    }
  }
}
