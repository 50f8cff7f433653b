import type { Capacity } from '@streamspace/protocol';
import type { AgentKeyStore } from '../auth/ports.js';
import type { AgentLoad } from '../domain/scheduling.js';
import { capacityToJson, type CapacityJson } from './capacity.js';
import type { Database, Queryable, Row } from './database.js';
import { toJsonText } from './storable.js';

/** An agent as administrators see it. */
export interface Agent extends AgentLoad {
  readonly region: string | null;
  readonly lastHeartbeat: Date | null;
}

export interface Registration {
  readonly agentId: string;
  readonly platform: string;
  readonly region?: string;
  readonly capacity?: Capacity;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

export interface RegisteredAgent {
  readonly id: string;
  readonly agentId: string;
  readonly platform: string;
  readonly status: string;
  readonly createdAt: Date;
  /** Whether this was the first registration. */
  readonly isNew: boolean;
}

export interface AgentsStore extends AgentKeyStore {
  list(): Promise<Agent[]>;
  /** `undefined` when the agent was never added. */
  register(registration: Registration): Promise<RegisteredAgent | undefined>;
  /** Connections that this replica held before it was started anew are gone. */
  forgetConnections(podName: string): Promise<void>;
}

interface AgentRow extends Row {
  agent_id: string;
  platform: string;
  region: string | null;
  status: Agent['status'];
  capacity: Partial<CapacityJson>;
  sessions: number;
  last_heartbeat: Date | null;
}

/**
 * Agents with how full they are. An agent counts as online while its connection is held and it was heard of within
 * `$1` ms, by the database's clock: the replica that held it may have died.
 */
const AGENTS = `
  select a.agent_id, a.platform, a.region, a.capacity, h.last_heartbeat,
         case when a.status = 'online' and h.last_heartbeat > now() - $1 * interval '1 millisecond' then h.status
              else 'offline' end as status,
         (select count(*) from sessions s where s.agent_id = a.id and s.desired_state = 'running') as sessions
    from agents a left join agent_heartbeats h on h.agent_id = a.id`;

const toAgent = (row: AgentRow): Agent => ({
  agentId: row.agent_id,
  platform: row.platform,
  region: row.region,
  status: row.status,
  maxSessions: row.capacity.max_sessions ?? 0,
  sessions: row.sessions,
  lastHeartbeat: row.last_heartbeat,
});

export async function readAgents(on: Queryable, staleAfterMs: number): Promise<Agent[]> {
  const { rows } = await on.query<AgentRow>(`${AGENTS} order by a.agent_id`, [staleAfterMs]);
  return rows.map(toAgent);
}

/** How full an agent is; until the end of the transaction nobody else places a session on it. */
export async function lockAgent(
  tx: Queryable,
  agentId: string,
  staleAfterMs: number,
): Promise<Agent | undefined> {
  await tx.query('select 1 from agents where agent_id = $1 for no key update', [agentId]);
  // A statement of its own: it has to see what whoever held the lock has written.
  const { rows } = await tx.query<AgentRow>(`${AGENTS} where a.agent_id = $2`, [staleAfterMs, agentId]);
  return rows[0] && toAgent(rows[0]);
}

export interface SqlAgentsStoreOptions {
  database: Database;
  /** An agent that was not heard of for this long counts as offline, in ms. */
  staleAfterMs: number;
}

export function sqlAgentsStore({ database, staleAfterMs }: SqlAgentsStoreOptions): AgentsStore {
  return {
    list: () => readAgents(database, staleAfterMs),

    async keyHash(agentId) {
      const { rows } = await database.query<{ key_hash: Uint8Array | null }>(
        'select key_hash from agents where agent_id = $1',
        [agentId],
      );
      return rows[0]?.key_hash ?? undefined;
    },

    async setKeyHash(agentId, hash) {
      await database.query(
        `insert into agents (agent_id, key_hash) values ($1, $2)
         on conflict (agent_id) do update set key_hash = excluded.key_hash, updated_at = now()`,
        [agentId, hash],
      );
    },

    async register({ agentId, platform, region, capacity, metadata }) {
      const { rows } = await database.query<{
        id: string;
        agent_id: string;
        platform: string;
        status: string;
        created_at: Date;
        is_new: boolean;
      }>(
        `with before as (select id, registered_at from agents where agent_id = $1)
         update agents a
            set platform = $2, region = coalesce($3, a.region), capacity = a.capacity || $4::jsonb,
                metadata = a.metadata || $5::jsonb, registered_at = coalesce(a.registered_at, now()),
                updated_at = now()
           from before where a.id = before.id
         returning a.id, a.agent_id, a.platform, a.status, a.created_at, before.registered_at is null as is_new`,
        [
          agentId,
          platform,
          region ?? null,
          toJsonText(capacity ? capacityToJson(capacity) : {}),
          toJsonText(metadata ?? {}),
        ],
      );
      const row = rows[0];
      return (
        row && {
          id: row.id,
          agentId: row.agent_id,
          platform: row.platform,
          status: row.status,
          createdAt: row.created_at,
          isNew: row.is_new,
        }
      );
    },

    async forgetConnections(podName) {
      await database.query(
        `update agents set status = 'offline', websocket_conn_id = null, pod_name = null, updated_at = now()
          where pod_name = $1`,
        [podName],
      );
    },
  };
}
