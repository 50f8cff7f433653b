import type { ControlPlaneEvent } from '../events.js';
import type { SessionStore, Wakeups } from './ports.js';
import type { StorageRoom } from './storage-room.js';

/** How often it looks by itself: capacity may have come about through another replica. In ms. */
const INTERVAL_MS = 2_000;
/** Hints within this time lead to one look, in ms. */
const GATHER_MS = 250;

export interface PlacerOptions {
  sessions: Pick<SessionStore, 'placeWaiting'>;
  wakeups: Wakeups;
  room: Pick<StorageRoom, 'shortage'>;
  onEvent: (event: ControlPlaneEvent) => void;
  onError: (error: unknown, where: string) => void;
}

/**
 * Finds agents for sessions that wait for one: soon after something has changed, and every 2 s. While there is no room to
 * store, none is placed, since a desktop that starts needs more of it.
 */
export class Placer {
  readonly #options: PlacerOptions;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #dueAt = Infinity;
  #underWay: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: PlacerOptions) {
    this.#options = options;
    this.#schedule(INTERVAL_MS);
  }

  /** An agent has come, or a session has ended: there may be room. */
  readonly kick = (): void => this.#schedule(GATHER_MS);

  /** Resolves when nothing is under way any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#underWay;
  }

  #schedule(ms: number): void {
    const dueAt = performance.now() + ms;
    if (this.#isClosed || this.#dueAt <= dueAt) return;
    clearTimeout(this.#timer);
    this.#dueAt = dueAt;
    this.#timer = setTimeout(() => {
      this.#dueAt = Infinity;
      this.#underWay = (this.#underWay ?? Promise.resolve())
        .then(() => this.#look())
        .finally(() => this.#schedule(INTERVAL_MS));
    }, ms);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    const { sessions, wakeups, room, onEvent, onError } = this.#options;
    if (await room.shortage()) return;
    try {
      for (const { id, user, agentId } of await sessions.placeWaiting()) {
        wakeups.sessionChanged(id);
        if (agentId !== null) wakeups.commandsWaiting(agentId);
        onEvent({ type: 'session_placed', sessionId: id, user, agentId });
      }
    } catch (error) {
      onError(error, 'placing sessions that wait');
    }
  }
}
