import { randomUUID } from 'node:crypto';
import type { CommandQueue } from '@streamspace/hub';
import type { IdentityStore, LoginStore, SetupStore, TicketStore, UserStore } from '../auth/ports.js';
import type { SessionStore, TemplateStore } from '../domain/ports.js';
import type { AuditStore, EventStore } from '../domain/timeline.js';
import { sqlAgentOwnership, type SqlAgentOwnership } from './agent-ownership.js';
import { sqlAgentsStore, type AgentsStore, type AgentsView } from './agents-store.js';
import { sqlCommandQueue } from './command-queue.js';
import type { Database } from './database.js';
import { sqlAuditStore, sqlEventStore } from './events-store.js';
import { sqlIdentityStore } from './identity-store.js';
import { sqlLoginStore } from './login-store.js';
import {
  DEAD_MS,
  replicaTiming,
  sqlReplicaStore,
  type ReplicaStore,
  type ReplicaTiming,
} from './replicas.js';
import { sqlSessionStore } from './sessions-store.js';
import { sqlTemplateStore } from './templates-store.js';
import { sqlSetupStore, sqlTicketStore, sqlUserStore } from './users-store.js';

export interface StoresOptions extends AgentsView {
  database: Database;
  /** Name of this replica. */
  podName: string;
  /** @default of a replica that is dead after 9 s */
  replicaTiming?: ReplicaTiming;
  commandTimeoutMs: number;
  onSessionChanged?: (sessionId: string) => void;
  /** These agents' rows said that they were not connected here, and were put right by a heartbeat. */
  onRestored?: (agentIds: readonly string[]) => void;
  /** What went wrong where no caller can be told, for example heartbeats that could not be written yet. */
  onError?: (error: unknown, where: string) => void;
}

/** Everything that is kept, over one database. */
export interface Stores {
  readonly users: UserStore;
  readonly identities: IdentityStore;
  readonly setup: SetupStore;
  readonly logins: LoginStore;
  readonly tickets: TicketStore;
  readonly agents: AgentsStore;
  readonly templates: TemplateStore;
  readonly sessions: SessionStore;
  readonly events: EventStore;
  readonly audit: AuditStore;
  readonly ownership: SqlAgentOwnership;
  readonly replicas: ReplicaStore;
  readonly commands: CommandQueue;
}

export function createStores(given: StoresOptions): Stores {
  const bootId = given.bootId ?? randomUUID();
  const options = { ...given, bootId };
  const { database, podName } = options;
  return {
    users: sqlUserStore(database),
    identities: sqlIdentityStore(database),
    setup: sqlSetupStore(database),
    logins: sqlLoginStore(database),
    tickets: sqlTicketStore(database),
    agents: sqlAgentsStore(options),
    templates: sqlTemplateStore(database),
    sessions: sqlSessionStore(options),
    events: sqlEventStore(database),
    audit: sqlAuditStore(database),
    ownership: sqlAgentOwnership({ ...options, boot: { bootId, podName } }),
    replicas: sqlReplicaStore({ ...options, timing: options.replicaTiming ?? replicaTiming(DEAD_MS) }),
    commands: sqlCommandQueue(options),
  };
}
