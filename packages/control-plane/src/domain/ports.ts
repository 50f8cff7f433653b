import type { InventoryEntry, SessionState } from '@streamspace/protocol';
import type { Placement } from './scheduling.js';
import type { Session } from './session.js';
import type { Template } from './template.js';

/** What a user asked for, checked. */
export interface NewSession extends Placement {
  readonly id: string;
  readonly userId: string;
  readonly template: Template;
  /** How long it may wait for an agent that can take it, in ms. @default 0: it is refused at once */
  readonly waitMs?: number;
  /** How many sessions its user may have that have not ended, this one included; 0 is unlimited. @default 0 */
  readonly quota?: number;
  /** Of everything that was asked for: the same request again gets the same session. */
  readonly requestHash: Uint8Array;
}

/** A session as the reconciler sees it. */
export interface HeldSession {
  readonly id: string;
  readonly agentId: string | null;
  readonly generation: number;
  /** `external`: made by an earlier version, and looked after by it. */
  readonly desired: 'running' | 'hibernated' | 'terminated' | 'external';
  readonly state: SessionState;
  /** A command is open, or one that was sent on the agent's present connection ended a moment ago. */
  readonly busy: boolean;
}

/** What a judgement was made of; the change happens only while all of it still holds. */
export interface Judged {
  readonly sessionId: string;
  readonly agentId: string;
  /** Of the agent's connection. */
  readonly epoch: number;
  readonly generation: number;
}

/** What the report of an agent can make of a session. */
export type SessionChange =
  /** A new generation, started again. */
  | { readonly action: 'restart'; readonly newGeneration: number }
  /** A stop is enqueued of what the agent holds though it should not. */
  | { readonly action: 'stop'; readonly heldGeneration: number }
  /** The end that was asked for has come about. */
  | { readonly action: 'terminated' }
  | { readonly action: 'failed'; readonly code: string; readonly message: string }
  /** Its agent holds it hibernated, and it counts as running: that is what it is, and is to be. */
  | { readonly action: 'hibernated' }
  /** It was to hibernate and its agent did not do it: it goes on running. */
  | { readonly action: 'keep_running' };

/**
 * `unchanged`: what was judged does not hold any more. `stale`: the agent has a newer connection than the judged one, so
 * nothing else that was judged on it will be changed either.
 */
export type Reconciled = 'changed' | 'unchanged' | 'stale';

/** A place in the order of {@link SessionStore.list}: that of the last session of a page. */
export interface SessionPosition {
  /** Whether it has not ended. */
  readonly isLiving: boolean;
  /** When it was created, in microseconds since 1970: a `Date` would lose three digits. */
  readonly createdAtUs: number;
  readonly id: string;
}

export interface SessionQuery {
  /** Only sessions of this user. @default all */
  readonly userId?: string;
  /** Only what comes after this place. @default from the start */
  readonly after?: SessionPosition;
  /** At most this many, from 1. */
  readonly limit: number;
}

export interface SessionPage {
  readonly sessions: readonly Session[];
  /** Where the next page begins; `undefined` on the last page. */
  readonly next: SessionPosition | undefined;
}

/**
 * Sessions and their commands. Each method is one transaction: a session's row and the command that carries it out are
 * written together or not at all.
 */
export interface SessionStore {
  /**
   * Places the session, reserves its place and enqueues its start. One that has ended (terminated or failed) is made
   * anew by the request that made it: the next generation, where it was before if that agent can take it.
   *
   * Where no agent can take it and it may wait, it is pending without an agent until {@link placeWaiting} finds one.
   *
   * @returns the session of that id where there is one already that has not ended, with `created: false`
   * @throws Refusal `no_agents_available`, `quota_exceeded`, or `session_exists` when there is one that was asked for
   * differently
   */
  create(request: NewSession): Promise<{ session: Session; created: boolean }>;
  /**
   * Looks for agents for the sessions that wait, the oldest first, and fails those that have waited for too long.
   * Resolves with the sessions that changed.
   */
  placeWaiting(): Promise<Session[]>;
  find(id: string): Promise<Session | undefined>;
  /**
   * Those that have not ended first, then those that have, each part the newest first. A session that exists unchanged
   * while pages are taken is on exactly one of them, whatever happens to others meanwhile.
   */
  list(query: SessionQuery): Promise<SessionPage>;
  /** Asks for its end. Without effect when that was asked for already. `undefined` when it does not exist. */
  stop(id: string): Promise<Session | undefined>;
  /**
   * Asks for its processes to end and its memory to be kept. Without effect when that was asked for already.
   *
   * @returns `undefined` when it does not exist
   * @throws Refusal `session_state` when it does not run
   */
  hibernate(id: string): Promise<Session | undefined>;
  /**
   * Asks for a hibernated session to run again, where it is. Without effect when that was asked for already.
   *
   * @returns `undefined` when it does not exist
   * @throws Refusal `session_state` when it is not hibernated, `no_agents_available` when its agent cannot take it now
   */
  wake(id: string): Promise<Session | undefined>;

  /** What should be on this agent, and which of `ids` are known at all. */
  heldBy(agentId: string, ids: readonly string[]): Promise<HeldSession[]>;
  /**
   * Makes one change that the report of an agent asks for. Changes that are asked for at the same time are written
   * together, up to a number that the implementation sets, so ask for those of one inventory without awaiting each.
   */
  reconcile(judged: Judged, change: SessionChange): Promise<Reconciled>;
}

export interface TemplateStore {
  /** Writes each by its name. */
  put(templates: readonly Template[]): Promise<void>;
  /** By name. */
  list(): Promise<Template[]>;
  find(name: string): Promise<Template | undefined>;
}

/** Wakes whoever waits for a session to change, and the hub where commands wait. Hints: they may be lost. */
export interface Wakeups {
  sessionChanged(sessionId: string): void;
  commandsWaiting(agentId: string): void;
}

/** What an agent reported, as the hub passes it on. */
export interface Inventory {
  readonly agentId: string;
  readonly epoch: number;
  readonly sessions: readonly InventoryEntry[];
  readonly changedSince: ReadonlySet<string>;
  /** Whether the connection that it came on is still the agent's, as far as this replica knows. */
  readonly isCurrent: () => boolean;
}
