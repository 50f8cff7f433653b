import { Refusal } from './errors.js';

/** An agent as placement sees it. */
export interface AgentLoad {
  readonly agentId: string;
  readonly platform: string;
  /** `offline` too where its last heartbeat is too old. */
  readonly status: 'online' | 'offline' | 'draining';
  /** 0 means unlimited. */
  readonly maxSessions: number;
  /** Sessions that are to run there. */
  readonly sessions: number;
}

/** Why a session cannot be placed on this agent; `undefined` when it can. */
export function obstacle(agent: AgentLoad, platform: string | undefined): string | undefined {
  if (platform !== undefined && agent.platform !== platform)
    return `its platform is ${agent.platform}, not ${platform}`;
  if (agent.status !== 'online') return `it is ${agent.status}`;
  if (agent.maxSessions > 0 && agent.sessions >= agent.maxSessions)
    return `it is full (${agent.sessions} of ${agent.maxSessions} sessions)`;
  return undefined;
}

/** Share of an agent's capacity that is used; agents without a limit count by sessions alone, far from full. */
const used = (agent: AgentLoad): number => agent.sessions / (agent.maxSessions || 10_000);

/**
 * The agents that can take a session, the least used first.
 *
 * @throws Refusal `no_agents_available`, saying of each agent why not
 */
export function rankAgents(agents: readonly AgentLoad[], platform: string | undefined): AgentLoad[] {
  const able = agents.filter((agent) => obstacle(agent, platform) === undefined);
  if (able.length === 0) throw noAgents(agents, platform);
  return able.sort((a, b) => used(a) - used(b) || a.agentId.localeCompare(b.agentId));
}

/** How many agents a refusal speaks of one by one. */
const NAMED_AGENTS = 20;

export function noAgents(agents: readonly AgentLoad[], platform: string | undefined): Refusal {
  const reasons = agents
    .slice(0, NAMED_AGENTS)
    .map((agent) => `${agent.agentId}: ${obstacle(agent, platform) ?? 'it was filled meanwhile'}`);
  if (agents.length > NAMED_AGENTS) reasons.push(`and ${agents.length - NAMED_AGENTS} more`);
  const detail = reasons.length === 0 ? 'No agent has been added yet.' : `${reasons.join('; ')}.`;
  return new Refusal('no_agents_available', detail, {
    remedy: 'Start an agent, stop a session, or ask for another platform; then try again.',
    retryAfterSeconds: 5,
  });
}
