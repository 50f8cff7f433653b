import { Refusal } from './errors.js';

/** An agent as placement sees it. */
export interface AgentLoad {
  readonly agentId: string;
  readonly platform: string;
  readonly region: string | null;
  /** What it registered as `metadata.labels`. */
  readonly labels: Readonly<Record<string, string>>;
  /** Its sessions are kept apart from the agent and from each other. */
  readonly isIsolated: boolean;
  /** `offline` too where its last heartbeat is too old. */
  readonly status: 'online' | 'offline' | 'draining';
  /** 0 means unlimited. */
  readonly maxSessions: number;
  /** Sessions that are to run there, or are there still. */
  readonly sessions: number;
  /** How many of its free places are for sessions that wait already. @default 0 */
  readonly promised?: number;
}

/** Where a session may go. */
export interface Placement {
  readonly platform?: string;
  readonly region?: string;
  /** The agent must have all of these. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Also where sessions are not isolated from each other. @default true */
  readonly unisolated?: boolean;
}

/** Labels of an agent that a template asks for: `spec.agentSelector.matchLabels` of its manifest. */
export function templateLabels(manifest: Readonly<Record<string, unknown>>): Record<string, string> {
  const inner = (value: unknown, key: string): unknown =>
    typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  const labels = inner(inner(inner(manifest, 'spec'), 'agentSelector'), 'matchLabels');
  return typeof labels === 'object' && labels !== null
    ? Object.fromEntries(Object.entries(labels).filter(([, value]) => typeof value === 'string'))
    : {};
}

/** Why a session cannot be placed on this agent: every check that failed, none when it can. */
export function obstacles(agent: AgentLoad, wanted: Placement): string[] {
  const found: string[] = [];
  if (wanted.platform !== undefined && agent.platform !== wanted.platform)
    found.push(`its platform is ${agent.platform}, not ${wanted.platform}`);
  if (wanted.region !== undefined && agent.region !== wanted.region)
    found.push(`its region is ${agent.region ?? 'unknown'}, not ${wanted.region}`);
  for (const [name, value] of Object.entries(wanted.labels ?? {})) {
    const has = Object.hasOwn(agent.labels, name) ? agent.labels[name] : undefined;
    if (has !== value) found.push(`its label ${name} is ${has ?? 'missing'}, not ${value}`);
  }
  if (wanted.unisolated === false && !agent.isIsolated)
    found.push('its sessions are not isolated from each other, so only administrators may use it');
  if (agent.status !== 'online') found.push(`it is ${agent.status}`);
  if (agent.maxSessions > 0 && agent.sessions >= agent.maxSessions)
    found.push(`it is full (${agent.sessions} of ${agent.maxSessions} sessions)`);
  else if (agent.maxSessions > 0 && agent.sessions + (agent.promised ?? 0) >= agent.maxSessions)
    found.push(
      `its room is for sessions that wait already (${agent.sessions} of ${agent.maxSessions} sessions)`,
    );
  return found;
}

/** Share of an agent's capacity that is used; agents without a limit count by sessions alone, far from full. */
const used = (agent: AgentLoad): number => agent.sessions / (agent.maxSessions || 10_000);

/** The agents that can take a session, the least used first. */
export function rankAgents<A extends AgentLoad>(agents: readonly A[], wanted: Placement): A[] {
  return agents
    .filter((agent) => obstacles(agent, wanted).length === 0)
    .sort((a, b) => used(a) - used(b) || a.agentId.localeCompare(b.agentId));
}

/** How many agents a refusal speaks of one by one. */
const NAMED_AGENTS = 20;

/** `no_agents_available`, saying of each agent why not. */
export function noAgents(agents: readonly AgentLoad[], wanted: Placement): Refusal {
  const isElsewhere = (agent: AgentLoad): boolean =>
    wanted.platform !== undefined && agent.platform !== wanted.platform;
  // Those first that come nearest to what is wanted.
  const judged = agents
    .map((agent) => ({ agent, found: obstacles(agent, wanted) }))
    .sort(
      (a, b) =>
        Number(isElsewhere(a.agent)) - Number(isElsewhere(b.agent)) || a.found.length - b.found.length,
    );
  const reasons = judged
    .slice(0, NAMED_AGENTS)
    .map(
      ({ agent, found }) =>
        `${agent.agentId}: ${found.length > 0 ? found.join(', ') : 'it was filled meanwhile'}`,
    );
  if (agents.length > NAMED_AGENTS) reasons.push(`and ${agents.length - NAMED_AGENTS} more`);
  const detail = reasons.length === 0 ? 'No agent has been added yet.' : `${reasons.join('; ')}.`;
  return new Refusal('no_agents_available', detail, {
    remedy:
      'Start an agent, stop a session, or ask for less; or let the session wait with "waitForCapacity": true.',
    retryAfterSeconds: 5,
  });
}
