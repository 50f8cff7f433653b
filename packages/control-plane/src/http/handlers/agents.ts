import type { Capacity } from '@streamspace/protocol';
import type { AgentRegistration } from '@streamspace/api';
import { Refusal } from '../../domain/errors.js';
import { noteOf } from '../audit-note.js';
import { pageById } from '../next-link.js';
import type { Handlers } from '../operations.js';
import type { Services } from '../services.js';
import { agentView, auditView, registeredView } from '../views.js';

/** Agents: what administrators see and do, and how agents register. */
export function agentHandlers(
  services: Services,
): Pick<Handlers, 'listAgents' | 'issueAgentKey' | 'registerAgent' | 'listAudit'> {
  const { agents, agentKeys, audit, onEvent } = services;
  const note = noteOf(services);

  return {
    listAgents: async () => ({ status: 200, body: (await agents.list()).map(agentView) }),

    issueAgentKey: async ({ body: { agent_id: agentId }, caller, request }) => {
      const key = await agentKeys.issue(agentId);
      await note(request, { actorId: caller.userId, action: 'agent_key_issued', target: agentId });
      return { status: 201, body: { agent_id: agentId, api_key: key } };
    },

    registerAgent: async ({ body }) => {
      const { agentId, platform, region, capacity, metadata } = body;
      const agent = await agents.register({
        agentId,
        platform,
        ...(region != null && { region }),
        ...(capacity && { capacity: capacityOf(capacity) }),
        ...(metadata && { metadata }),
      });
      if (!agent) throw new Refusal('agent_key_invalid', `Agent ${agentId} was removed.`);
      onEvent({ type: 'agent_registered', agentId, platform: agent.platform, region: region ?? undefined });
      return { status: agent.isNew ? 201 : 200, body: registeredView(agent) };
    },

    listAudit: async (call) => {
      const { before } = call.query;
      const page = await pageById(call, 'before', (limit) =>
        audit.list({ limit, ...(before !== undefined && { before }) }),
      );
      return { status: 200, body: page.map(auditView) };
    },
  };
}

function capacityOf({
  maxSessions,
  maxCpu,
  maxMemory,
}: NonNullable<AgentRegistration['capacity']>): Capacity {
  return {
    maxSessions: maxSessions ?? 0,
    ...(maxCpu != null && { maxCpu }),
    ...(maxMemory != null && { maxMemory }),
  };
}
