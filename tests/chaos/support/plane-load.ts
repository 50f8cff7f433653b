import { setTimeout as sleep } from 'node:timers/promises';
import type { EventOf } from '../history.js';
import type { Answer, Plane } from './plane.js';

const CLIENTS = 4;
/** Pause of a client between two requests, in ms. */
const PAUSE_MS = 30;

/** Clients that start and stop sessions until they are told to end. Every answer is kept. */
export class PlaneLoad {
  readonly answers: Answer[] = [];
  readonly promised: EventOf<'requested'>[] = [];
  /** When the last request was answered with yes, in ms of `performance.now()`. */
  lastYesAt = 0;
  #ending = false;
  readonly #plane: Plane;
  readonly #clients: Promise<void>;

  constructor(plane: Plane) {
    this.#plane = plane;
    this.#clients = Promise.all(Array.from({ length: CLIENTS }, (_, index) => this.#client(index))).then(
      () => undefined,
    );
    this.#clients.catch(() => undefined);
  }

  /** Resolves when each client has been told yes to what it last asked for. */
  async end(): Promise<void> {
    this.#ending = true;
    await this.#clients;
  }

  async #client(index: number): Promise<void> {
    for (let session = 0; !this.#ending; session++) {
      const sessionId = `c${index}-${session}`;
      await this.#until('running', sessionId, 'POST', '/sessions', { id: sessionId, template: 'desk' });
      if (session % 2 === 0)
        await this.#until('terminated', sessionId, 'POST', `/sessions/${sessionId}/stop`, {});
    }
  }

  async #until(
    wanted: 'running' | 'terminated',
    sessionId: string,
    ...request: Parameters<Plane['request']>
  ): Promise<void> {
    for (;;) {
      const answer = await this.#plane.request(...request);
      this.answers.push(answer);
      await sleep(PAUSE_MS);
      if (answer.status >= 300) continue;
      this.lastYesAt = performance.now();
      this.promised.push({ kind: 'requested', sessionId, wanted });
      return;
    }
  }
}
