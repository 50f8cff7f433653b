import type { LoggedIn } from '../auth/logins.js';
import type { Session } from '../domain/session.js';
import type { Template } from '../domain/template.js';
import type { AuditEntry, SessionEvent } from '../domain/timeline.js';
import type { Agent, RegisteredAgent } from '../stores/agents-store.js';

/** Bodies of the API, as clients get them. */

/** @param url address of the page that shows it */
export const sessionView = (session: Session, url: string | null) => ({
  id: session.id,
  user: session.user,
  template: session.template,
  state: session.state,
  platform: session.platform,
  agent_id: session.agentId,
  generation: session.generation,
  url,
  error: session.error,
  created_at: session.createdAt.toISOString(),
  updated_at: session.updatedAt.toISOString(),
});

export const eventView = (event: SessionEvent) => ({
  id: event.id,
  generation: event.generation,
  kind: event.kind,
  message: event.message,
  data: event.data,
  at: event.at.toISOString(),
});

export const auditView = (entry: AuditEntry) => ({
  id: entry.id,
  at: entry.at.toISOString(),
  actor_id: entry.actorId,
  actor: entry.actor,
  action: entry.action,
  target: entry.target,
  address: entry.address,
  data: entry.data,
});

export const loginView = ({ user, accessToken, expiresAt, loginId, loginSecret }: LoggedIn) => ({
  token: accessToken,
  expires_at: expiresAt.toISOString(),
  login_id: loginId,
  ...(loginSecret !== undefined && { login_secret: loginSecret }),
  user: { id: user.id, username: user.username, role: user.role },
});

export const templateView = (template: Template) => ({
  name: template.name,
  display_name: template.displayName,
  description: template.description,
  app_type: template.appType,
  platform: template.platform,
});

export const agentView = (agent: Agent) => ({
  agent_id: agent.agentId,
  platform: agent.platform,
  status: agent.status,
  region: agent.region,
  last_heartbeat: agent.lastHeartbeat?.toISOString() ?? null,
  capacity: { max_sessions: agent.maxSessions, current_sessions: agent.sessions },
});

/** The one body in camel case: agents in the field send and expect it so. */
export const registeredView = (agent: RegisteredAgent) => ({
  id: agent.id,
  agentId: agent.agentId,
  platform: agent.platform,
  status: agent.status,
  createdAt: agent.createdAt.toISOString(),
});
