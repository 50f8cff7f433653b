import type { Capacity } from '@streamspace/protocol';
import { Router } from 'express';
import { Refusal } from '../domain/errors.js';
import { adminOf } from './caller.js';
import { Fields } from './fields.js';
import type { Services } from './services.js';
import { pageOf } from './paging.js';
import { agentView, auditView, registeredView } from './views.js';

const AGENT_ID_CHARS = 255;

/** Agents: what administrators see and do, and how agents register. */
export function agentRoutes({ accessTokens, agents, agentKeys, audit, site, onEvent }: Services): Router {
  const router = Router();

  router.get('/agents', async (request, response) => {
    adminOf(request, accessTokens);
    response.json((await agents.list()).map(agentView));
  });

  router.post('/admin/agents', async (request, response) => {
    const { userId: actorId } = adminOf(request, accessTokens);
    const agentId = new Fields(request.body).text('agent_id', { max: AGENT_ID_CHARS });
    const key = await agentKeys.issue(agentId);
    const { address } = site.clientOf(request);
    await audit.append({
      actorId,
      action: 'agent_key_issued',
      target: agentId,
      ...(address !== undefined && { address }),
    });
    response.status(201).json({ agent_id: agentId, api_key: key });
  });

  router.get('/admin/audit', async (request, response) => {
    adminOf(request, accessTokens);
    const { cursor, limit } = pageOf(request, 'before');
    const found = await audit.list({ limit, ...(cursor !== undefined && { before: cursor }) });
    response.json(found.map(auditView));
  });

  router.post('/agents/register', async (request, response) => {
    const fields = new Fields(request.body);
    const agentId = fields.text('agentId', { max: AGENT_ID_CHARS });
    try {
      await agentKeys.authenticate(agentId, request.get('x-agent-api-key'));
    } catch (error) {
      if (error instanceof Refusal) onEvent({ type: 'agent_refused', agentId, code: error.code });
      throw error;
    }
    const region = fields.optionalText('region', { max: 100 });
    const capacity = readCapacity(fields.optionalObject('capacity'));
    const metadata = fields.optionalObject('metadata');
    const agent = await agents.register({
      agentId,
      platform: fields.text('platform', { max: 50 }),
      ...(region !== undefined && { region }),
      ...(capacity && { capacity }),
      ...(metadata && { metadata }),
    });
    if (!agent) throw new Refusal('agent_key_invalid', `Agent ${agentId} was removed.`);
    onEvent({ type: 'agent_registered', agentId, platform: agent.platform, region });
    response.status(agent.isNew ? 201 : 200).json(registeredView(agent));
  });

  return router;
}

function readCapacity(given: Record<string, unknown> | undefined): Capacity | undefined {
  if (!given) return undefined;
  const fields = new Fields(given);
  const maxCpu = fields.optionalAmount('maxCpu', 'any');
  const maxMemory = fields.optionalAmount('maxMemory', 'any');
  return {
    maxSessions: fields.optionalAmount('maxSessions', 'whole') ?? 0,
    ...(maxCpu !== undefined && { maxCpu }),
    ...(maxMemory !== undefined && { maxMemory }),
  };
}
