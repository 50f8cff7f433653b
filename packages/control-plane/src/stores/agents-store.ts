import type { Capacity } from '@streamspace/protocol';
import type { AgentKeyStore } from '../auth/ports.js';
import type { AgentLoad, Placement } from '../domain/scheduling.js';
import { capacityToJson, type CapacityJson } from './capacity.js';
import type { Database, Queryable, Row } from './database.js';
import { toJsonText } from './storable.js';

/** An agent as administrators see it. */
export interface Agent extends AgentLoad {
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
  /** Brings up to date what `agents` has of heartbeats, for programs that look for it there. */
  copyHeartbeats(): Promise<void>;
}

/** How agents are judged. */
export interface AgentsView {
  /** The start of the replica that judges. @default none: no agent's connection is its own */
  readonly bootId?: string;
  /** An agent that was not heard of for this long counts as offline, in ms. */
  readonly staleAfterMs: number;
  /**
   * Agents whose connection this replica holds. They are online however old their last heartbeat in the database is: it
   * may be the database that was away, and nobody is to be declared offline for that.
   *
   * @default none
   */
  readonly heldAgents?: () => ReadonlySet<string>;
}

interface AgentRow extends Row {
  agent_id: string;
  platform: string;
  region: string | null;
  labels: unknown;
  is_isolated: boolean;
  is_connected: boolean;
  is_fresh: boolean;
  reported: 'online' | 'draining';
  boot_id: string | null;
  capacity: Partial<CapacityJson>;
  sessions: number;
  last_heartbeat: Date | null;
}

/** How many sessions are to run on agent `a`, or are there still: a place is free once the agent has said so. */
const SESSIONS_OF_AGENT = `
         (select count(*) from sessions s where s.agent_id = a.id and s.desired_state = 'running')
           + (select count(*) from sessions s
               where s.agent_id = a.id and s.desired_state = 'hibernated' and s.state = 'running')
           + (select count(*) from sessions s
               where s.agent_id = a.id and s.is_ending and s.desired_state = 'terminated')`;

/** Whether agent `a` keeps its sessions apart. Only if it said so: what did not say it is for administrators. */
const IS_ISOLATED = `coalesce(a.metadata -> 'isolated' = 'true'::jsonb, false)`;

/** Agents with how full they are; `$1` is how old a heartbeat may be, in ms, by the database's clock. */
const AGENTS = `
  select a.agent_id, a.platform, a.region, a.capacity, a.boot_id, h.last_heartbeat, a.metadata -> 'labels' as labels,
         ${IS_ISOLATED} as is_isolated, a.status = 'online' as is_connected,
         coalesce(h.last_heartbeat > now() - $1 * interval '1 millisecond', false) as is_fresh,
         coalesce(h.status, 'online') as reported,
         ${SESSIONS_OF_AGENT} as sessions
    from agents a left join agent_heartbeats h on h.agent_id = a.id`;

function labelsOf(given: unknown): Record<string, string> {
  if (typeof given !== 'object' || given === null) return {};
  return Object.fromEntries(
    Object.entries(given as Record<string, unknown>).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    ),
  );
}

function toAgent(row: AgentRow, { bootId }: AgentsView, held: ReadonlySet<string> | undefined): Agent {
  const isHeld = bootId !== undefined && row.boot_id === bootId && held?.has(row.agent_id) === true;
  const { max_sessions: maxSessions } = row.capacity;
  return {
    agentId: row.agent_id,
    platform: row.platform,
    region: row.region,
    labels: labelsOf(row.labels),
    isIsolated: row.is_isolated,
    status: row.is_connected && (row.is_fresh || isHeld) ? row.reported : 'offline',
    // What an earlier version or a hand wrote need not be a number.
    maxSessions: typeof maxSessions === 'number' ? maxSessions : 0,
    sessions: row.sessions,
    lastHeartbeat: row.last_heartbeat,
  };
}

export async function readAgents(on: Queryable, view: AgentsView): Promise<Agent[]> {
  const { rows } = await on.query<AgentRow>(`${AGENTS} order by a.agent_id`, [view.staleAfterMs]);
  const held = view.heldAgents?.();
  return rows.map((row) => toAgent(row, view, held));
}

/** How many agents {@link bestAgents} names. */
const BEST = 8;
/** How many it compares: all where there are fewer, else some at random, which spreads sessions nearly as evenly. */
const COMPARED = 64;

/**
 * Agents that can probably take a session, the least used first: with ten thousand agents, counting the sessions of each
 * is for refusals. It is a guess; whether one can is decided when it is locked.
 */
export async function bestAgents(tx: Queryable, wanted: Placement, view: AgentsView): Promise<string[]> {
  const { rows } = await tx.query<Row & { agent_id: string }>(
    `with able as materialized (
       select a.id, a.agent_id, case when jsonb_typeof(a.capacity -> 'max_sessions') = 'number'
                                     then (a.capacity ->> 'max_sessions')::float8 else 0 end as most
         from agents a left join agent_heartbeats h on h.agent_id = a.id
        where a.status = 'online' and coalesce(h.status, 'online') = 'online'
          and (a.boot_id = $2::uuid or h.last_heartbeat > now() - $1 * interval '1 millisecond')
          and ($3::text is null or a.platform = $3) and ($4::text is null or a.region = $4)
          and coalesce(a.metadata -> 'labels', '{}') @> $5::jsonb
          and ($6::boolean or ${IS_ISOLATED})
        order by random() limit ${COMPARED}
     ), counted as materialized (
       select a.agent_id, a.most, ${SESSIONS_OF_AGENT} as sessions from able a
     )
     select agent_id from counted where most = 0 or sessions < most
      order by sessions / case when most = 0 then 10000 else most end, agent_id limit ${BEST}`,
    [
      view.staleAfterMs,
      view.bootId ?? null,
      wanted.platform ?? null,
      wanted.region ?? null,
      toJsonText(wanted.labels ?? {}),
      wanted.unisolated ?? true,
    ],
  );
  return rows.map(({ agent_id }) => agent_id);
}

/** How full an agent is; until the end of the transaction nobody else places a session on it. */
export async function lockAgent(
  tx: Queryable,
  agentId: string,
  view: AgentsView,
): Promise<Agent | undefined> {
  await tx.query('select 1 from agents where agent_id = $1 for no key update', [agentId]);
  // A statement of its own: it has to see what whoever held the lock has written.
  const { rows } = await tx.query<AgentRow>(`${AGENTS} where a.agent_id = $2`, [view.staleAfterMs, agentId]);
  return rows[0] && toAgent(rows[0], view, view.heldAgents?.());
}

/** Among how many of the sessions that wait, the oldest, room is kept: younger ones take their chance. */
const KEPT_FOR = 1_000;

/**
 * How many of the sessions that wait could go to this agent, `most` at most. They were there before whoever comes now;
 * those that have waited for too long are to fail.
 */
export async function countWaitingFor(tx: Queryable, agentId: string, most: number): Promise<number> {
  const { rows } = await tx.query<Row & { count: number }>(
    `select count(*) from (
       select 1 from agents a join (
                select placement from sessions
                 where agent_id is null and wait_until > now() and state = 'pending'
                 order by created_at limit ${KEPT_FOR}
              ) s
           on coalesce(s.placement ->> 'platform', a.platform) = a.platform
          and (s.placement ->> 'region' is null or s.placement ->> 'region' = a.region)
          and coalesce(a.metadata -> 'labels', '{}') @> coalesce(s.placement -> 'labels', '{}')
          and (coalesce(s.placement -> 'unisolated' <> 'false'::jsonb, true) or ${IS_ISOLATED})
        where a.agent_id = $1 limit $2
     ) as waiting`,
    [agentId, most],
  );
  return rows[0]!.count;
}

export interface SqlAgentsStoreOptions extends AgentsView {
  database: Database;
}

export function sqlAgentsStore(options: SqlAgentsStoreOptions): AgentsStore {
  const { database } = options;
  return {
    list: () => readAgents(database, options),

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
                metadata = (a.metadata - 'isolated') || $5::jsonb, registered_at = coalesce(a.registered_at, now()),
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

    async copyHeartbeats() {
      await database.query(
        // Whoever holds an agent's row now has more important things to do; the next round finds it.
        `with due as materialized (
           select a.id, h.active_sessions, h.last_heartbeat from agents a join agent_heartbeats h on h.agent_id = a.id
            where a.last_heartbeat is distinct from h.last_heartbeat
            order by a.id for no key update of a skip locked
         )
         update agents a set active_sessions = due.active_sessions, last_heartbeat = due.last_heartbeat
           from due where a.id = due.id`,
      );
    },
  };
}
