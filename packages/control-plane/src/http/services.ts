import type { AccessTokens } from '../auth/access-tokens.js';
import type { AgentKeys } from '../auth/agent-keys.js';
import type { OwnAccounts } from '../auth/own-accounts.js';
import type { Logins } from '../auth/logins.js';
import type { UserStore } from '../auth/ports.js';
import type { Setup } from '../auth/setup.js';
import type { Tickets } from '../auth/tickets.js';
import type { TemplateStore } from '../domain/ports.js';
import type { Sessions } from '../domain/sessions.js';
import type { AuditStore, EventStore } from '../domain/timeline.js';
import type { ControlPlaneEvent } from '../events.js';
import type { AgentsStore } from '../stores/agents-store.js';
import type { Site } from './site.js';

/** What the endpoints call. */
export interface Services {
  readonly podName: string;
  readonly users: UserStore;
  readonly setup: Setup;
  readonly logins: Logins;
  readonly accessTokens: AccessTokens;
  /** Accounts of the host application, in place of logins. */
  readonly ownAccounts: OwnAccounts | undefined;
  readonly sessions: Sessions;
  readonly templates: TemplateStore;
  readonly agents: AgentsStore;
  readonly agentKeys: AgentKeys;
  readonly tickets: Tickets;
  readonly events: EventStore;
  readonly audit: AuditStore;
  /** How the control plane is reached, and who may. */
  readonly site: Site;
  /** Address of the page that shows a session; `null` where there is none. Does not throw. */
  readonly pageUrl: (sessionId: string, mount: string) => string | null;
  /** Resolves when requests can be served; rejects with why not. */
  readonly ready: () => Promise<void>;
  /** Rejects with `storage_full` while nothing more may be stored. */
  readonly room: () => Promise<void>;
  readonly onEvent: (event: ControlPlaneEvent) => void;
  readonly onError: (error: unknown, where: string) => void;
}
