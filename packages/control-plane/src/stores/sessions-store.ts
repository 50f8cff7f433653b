import type { SessionStore } from '../domain/ports.js';
import type { AgentsView } from './agents-store.js';
import type { Database, Queryable } from './database.js';
import { retryConflicts } from './retry.js';
import { readSession, toSession } from './session-rows.js';
import { hibernateSession, stopSession, wakeSession } from './sessions-change.js';
import { createSession, placeOne } from './sessions-create.js';
import { listSessions } from './sessions-list.js';
import { heldBy, reconciling } from './sessions-reconcile.js';
import { waitingRounds } from './sessions-waiting.js';

export interface SqlSessionStoreOptions extends AgentsView {
  database: Database;
  /** Time that a command gets, in ms. */
  commandTimeoutMs: number;
}

export function sqlSessionStore(options: SqlSessionStoreOptions): SessionStore {
  const { database, commandTimeoutMs } = options;
  const transaction = <T>(work: (tx: Queryable) => Promise<T>): Promise<T> =>
    retryConflicts(() => database.transaction(work));
  const deadline = (): number => Date.now() + commandTimeoutMs;
  const placing = (): AgentsView & { deadline: number } => ({ ...options, deadline: deadline() });

  return {
    create: (request) => transaction((tx) => createSession(tx, request, placing())),

    placeWaiting: waitingRounds(options, (id) => transaction((tx) => placeOne(tx, id, placing()))),

    async find(id) {
      const row = await readSession(database, id);
      return row && toSession(row);
    },

    list: (query) => listSessions(database, query),

    stop: (id) => transaction((tx) => stopSession(tx, id, deadline())),
    hibernate: (id) => transaction((tx) => hibernateSession(tx, id, deadline())),
    wake: (id) => transaction((tx) => wakeSession(tx, id, placing())),

    heldBy: (agentId, ids) => heldBy(database, agentId, ids),
    ...reconciling(database, deadline),
  };
}
