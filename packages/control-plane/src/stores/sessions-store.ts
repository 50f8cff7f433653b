import type { Judged, SessionStore } from '../domain/ports.js';
import { rankAgents, type Placement } from '../domain/scheduling.js';
import type { Session } from '../domain/session.js';
import { readAgents, type AgentsView } from './agents-store.js';
import type { Database, Queryable, Row } from './database.js';
import { retryConflicts } from './retry.js';
import { readSession, SESSIONS, toSession, type SessionRow } from './session-rows.js';
import { hibernateSession, stopSession, wakeSession } from './sessions-change.js';
import { createSession, placeOne } from './sessions-create.js';
import {
  heldBy,
  keepRunning,
  markFailed,
  markHibernated,
  markTerminated,
  restart,
  stopHeld,
} from './sessions-reconcile.js';

export interface SqlSessionStoreOptions extends AgentsView {
  database: Database;
  /** Time that a command gets, in ms. */
  commandTimeoutMs: number;
}

/** How many sessions one listing returns at most, the newest. */
const LIST_LIMIT = 1_000;
/** How many of the sessions that wait are looked at in one round, the oldest. */
const WAITING_LIMIT = 200;

export function sqlSessionStore(options: SqlSessionStoreOptions): SessionStore {
  const { database, commandTimeoutMs } = options;
  const transaction = <T>(work: (tx: Queryable) => Promise<T>): Promise<T> =>
    retryConflicts(() => database.transaction(work));
  const deadline = (): number => Date.now() + commandTimeoutMs;
  const placing = (): AgentsView & { deadline: number } => ({ ...options, deadline: deadline() });

  return {
    create: (request) => transaction((tx) => createSession(tx, request, placing())),

    async placeWaiting() {
      const { rows } = await database.query<Row & { id: string; placement: Placement; is_overdue: boolean }>(
        `select id, placement, wait_until <= now() as is_overdue from sessions
          where agent_id is null and wait_until is not null and state = 'pending'
          order by created_at limit ${WAITING_LIMIT}`,
      );
      if (rows.length === 0) return [];
      const agents = await readAgents(database, options);
      const changed: Session[] = [];
      for (const { id, placement, is_overdue } of rows) {
        // Looked at without a lock first: as a rule nobody can take it, and nothing need be locked to know that.
        if (!is_overdue && rankAgents(agents, placement).length === 0) continue;
        const session = await transaction((tx) => placeOne(tx, id, placing()));
        if (session) changed.push(session);
      }
      return changed;
    },

    async find(id) {
      const row = await readSession(database, id);
      return row && toSession(row);
    },

    async list({ userId }) {
      const { rows } = await database.query<SessionRow>(
        `${SESSIONS} where $1::uuid is null or s.user_id = $1::uuid order by s.created_at desc, s.id limit ${LIST_LIMIT}`,
        [userId ?? null],
      );
      return rows.map(toSession);
    },

    stop: (id) => transaction((tx) => stopSession(tx, id, deadline())),
    hibernate: (id) => transaction((tx) => hibernateSession(tx, id, deadline())),
    wake: (id) => transaction((tx) => wakeSession(tx, id, placing())),

    heldBy: (agentId, ids) => heldBy(database, agentId, ids),
    restart: (judged, generation) => transaction((tx) => restart(tx, judged, generation, deadline())),
    stopHeld: (judged, generation) => transaction((tx) => stopHeld(tx, judged, generation, deadline())),
    markTerminated: (judged: Judged) => transaction((tx) => markTerminated(tx, judged)),
    markFailed: (judged, error) => transaction((tx) => markFailed(tx, judged, error)),
    markHibernated: (judged) => transaction((tx) => markHibernated(tx, judged)),
    keepRunning: (judged) => transaction((tx) => keepRunning(tx, judged)),
  };
}
