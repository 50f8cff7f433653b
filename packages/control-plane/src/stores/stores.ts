import type { AgentOwnership, CommandQueue } from '@streamspace/hub';
import type { LoginStore, SetupStore, TicketStore, UserStore } from '../auth/ports.js';
import type { SessionStore, TemplateStore } from '../domain/ports.js';
import type { AuditStore, EventStore } from '../domain/timeline.js';
import { sqlAgentOwnership } from './agent-ownership.js';
import { sqlAgentsStore, type AgentsStore, type AgentsView } from './agents-store.js';
import { sqlCommandQueue } from './command-queue.js';
import type { Database } from './database.js';
import { sqlAuditStore, sqlEventStore } from './events-store.js';
import { sqlSessionStore } from './sessions-store.js';
import { sqlTemplateStore } from './templates-store.js';
import { sqlLoginStore, sqlSetupStore, sqlTicketStore, sqlUserStore } from './users-store.js';

export interface StoresOptions extends AgentsView {
  database: Database;
  commandTimeoutMs: number;
  onSessionChanged?: (sessionId: string) => void;
  /** What went wrong where no caller can be told, for example heartbeats that could not be written yet. */
  onError?: (error: unknown, where: string) => void;
}

/** Everything that is kept, over one database. */
export interface Stores {
  readonly users: UserStore;
  readonly setup: SetupStore;
  readonly logins: LoginStore;
  readonly tickets: TicketStore;
  readonly agents: AgentsStore;
  readonly templates: TemplateStore;
  readonly sessions: SessionStore;
  readonly events: EventStore;
  readonly audit: AuditStore;
  readonly ownership: AgentOwnership;
  readonly commands: CommandQueue;
}

export function createStores(options: StoresOptions): Stores {
  const { database } = options;
  return {
    users: sqlUserStore(database),
    setup: sqlSetupStore(database),
    logins: sqlLoginStore(database),
    tickets: sqlTicketStore(database),
    agents: sqlAgentsStore(options),
    templates: sqlTemplateStore(database),
    sessions: sqlSessionStore(options),
    events: sqlEventStore(database),
    audit: sqlAuditStore(database),
    ownership: sqlAgentOwnership(options),
    commands: sqlCommandQueue(options),
  };
}
