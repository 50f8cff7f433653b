import type { ObservedState } from '@streamspace/protocol';
import { PlatformError } from './errors.js';
import type { PlatformSession } from './platform.js';

/** A session as it was last seen on the platform; `gone` where it was not there. */
export interface KnownSession {
  readonly generation: number;
  /** That last changed it. */
  readonly commandId: string;
  readonly state: ObservedState | 'gone';
}

/** Sessions that are gone and remembered, for their generation. Past it: the longest gone is forgotten. */
const REMEMBERED_GONE = 10_000;
/** Sessions of which is remembered when they last changed here. Past it: the one that has not for the longest. */
const REMEMBERED_CHANGES = 20_000;

export const isAlive = ({ state }: { readonly state: KnownSession['state'] }): boolean =>
  state === 'running' || state === 'starting';

/**
 * What one term knows of the sessions on its platform, from results of commands and from what the platform says.
 * The platform is the record: this only spares questions, and is asked for anew by every term.
 */
export class SessionTable {
  readonly #held = new Map<string, KnownSession>();
  /** Oldest first. */
  readonly #gone = new Map<string, KnownSession>();
  /** When a session was last changed here, by {@link clock}; the latest last. */
  readonly #changedAt = new Map<string, number>();
  /** Starts and wakes that are under way. */
  readonly #reserved = new Set<string>();
  #clock = 0;
  #complete = false;

  /** Grows with every change. Taken before a list of the platform, it tells what has changed since. */
  get clock(): number {
    return this.#clock;
  }

  /** Whether the platform's whole list has been seen in this term. */
  get complete(): boolean {
    return this.#complete;
  }

  markComplete(): void {
    this.#complete = true;
  }

  /** `undefined` when nothing certain is known: the platform has to be asked. */
  known(sessionId: string): KnownSession | undefined {
    return this.#held.get(sessionId) ?? this.#gone.get(sessionId);
  }

  /** Whether this term has seen the session, or tried to change it. */
  wasSeen(sessionId: string): boolean {
    return this.#changedAt.has(sessionId);
  }

  changedSince(sessionId: string, clock: number): boolean {
    return (this.#changedAt.get(sessionId) ?? 0) > clock;
  }

  set(sessionId: string, { generation, commandId, state }: KnownSession): void {
    this.forget(sessionId);
    if (state !== 'gone') {
      this.#held.set(sessionId, { generation, commandId, state });
      return;
    }
    this.#gone.set(sessionId, { generation, commandId, state });
    if (this.#gone.size <= REMEMBERED_GONE) return;
    const [oldest] = this.#gone.keys();
    this.#gone.delete(oldest!);
  }

  /** What is known is certain no longer, for example since a call has failed. */
  forget(sessionId: string): void {
    this.#held.delete(sessionId);
    this.#gone.delete(sessionId);
    this.#changedAt.delete(sessionId);
    this.#changedAt.set(sessionId, ++this.#clock);
    if (this.#changedAt.size <= REMEMBERED_CHANGES) return;
    const [oldest] = this.#changedAt.keys();
    this.#changedAt.delete(oldest!);
  }

  /** Sessions on the platform. */
  held(): ReadonlyMap<string, KnownSession> {
    return this.#held;
  }

  /** Sessions that run or are being started. */
  get active(): number {
    let count = 0;
    for (const session of this.#held.values()) if (isAlive(session)) count += 1;
    return count;
  }

  /**
   * Room for one more session that runs, until it is given back. One that runs already has its room.
   *
   * @param maxSessions 0 means unlimited
   * @throws PlatformError `capacity_exhausted`
   */
  reserve(sessionId: string, maxSessions: number): () => void {
    const taken = new Set(this.#reserved);
    for (const [id, session] of this.#held) if (isAlive(session)) taken.add(id);
    if (maxSessions > 0 && !taken.has(sessionId) && taken.size >= maxSessions)
      throw new PlatformError(
        'capacity_exhausted',
        `this agent has ${taken.size} sessions; allowed are ${maxSessions} (maxSessions)`,
        true,
      );
    this.#reserved.add(sessionId);
    return () => this.#reserved.delete(sessionId);
  }
}

export const knownFrom = ({ generation, commandId, state }: PlatformSession): KnownSession => ({
  generation,
  commandId,
  state,
});
