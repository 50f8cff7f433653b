import {
  INSTANCE_CHANGE_WINDOW_MS,
  type AgentOwnership,
  type Claim,
  type ClaimRequest,
} from '@streamspace/hub';
import { capacityToJson } from './capacity.js';
import type { Database } from './database.js';
import { isDatabaseError, type DatabaseErrorCode } from './database-error.js';
import { Heartbeats } from './heartbeats.js';
import { Releases } from './releases.js';
import type { Boot } from './replicas.js';
import { retryConflicts } from './retry.js';
import { toJsonText } from './storable.js';

export interface SqlOwnershipOptions {
  database: Database;
  /** The replica that the claims are for. */
  boot: Boot;
  /** An agent that was not heard of for this long counts as offline, in ms. @default 60_000 */
  staleAfterMs?: number;
  /**
   * How long what only says that an agent is alive may be kept before it is written, in ms. Agents would seem to come
   * and go if it were not well below `staleAfterMs`. @default the lesser of 5_000 and a quarter of `staleAfterMs`
   */
  heartbeatFlushMs?: number;
  /** These agents' rows said that they were not connected here, and were put right by a heartbeat. */
  onRestored?: (agentIds: readonly string[]) => void;
  /** Reports or releases could not be written; they are kept and written later. */
  onError?: (error: unknown, where: string) => void;
}

/** Ownership with timers, which end when it is closed. */
export interface SqlAgentOwnership extends AgentOwnership {
  /** Writes nothing more. Call it after `flush`. */
  close(): Promise<void>;
}

const FLUSH_MS = 5_000;

/** Errors after which a statement may have taken effect. */
const UNKNOWN_OUTCOME: ReadonlySet<DatabaseErrorCode> = new Set(['unavailable', 'timeout', 'internal']);

/** Whether `agents` row `a` is held by a connection of another instance than `$3`. */
const TAKEOVER = 'a.websocket_conn_id is not null and a.instance_id is distinct from $3';
/** Whether it was taken over twice within the window already. */
const TAKEN_OVER_TWICE = `a.taken_over_before > now() - interval '${INSTANCE_CHANGE_WINDOW_MS} milliseconds'`;

/**
 * Takes the agent over, unless the token is too low or two instances fight over it. The conditions are on the row's own
 * columns, so that they hold for the row as it is when its lock is had.
 */
const CLAIM = `
  with claimed as (
    update agents a
       set epoch = greatest(a.epoch + 1, floor(extract(epoch from clock_timestamp()) * 1000)::bigint),
           taken_over_before = case when ${TAKEOVER} then a.taken_over_at else a.taken_over_before end,
           taken_over_at = case when ${TAKEOVER} then now() else a.taken_over_at end,
           websocket_conn_id = $2::text, pod_name = $4, boot_id = $9::uuid, boot_conn_id = $2::text, status = 'online',
           platform = $5, region = coalesce($6, a.region), capacity = a.capacity || $7::jsonb,
           leader_token = greatest(a.leader_token, coalesce($8::bigint, 0)),
           instance_id = $3, updated_at = now()
     where a.agent_id = $1 and coalesce($8::bigint, 0) >= a.leader_token
       and (coalesce($8::bigint, 0) > a.leader_token or not (${TAKEOVER}) or not coalesce(${TAKEN_OVER_TWICE}, false))
   returning id, epoch
  ), beat as (
    insert into agent_heartbeats as h (agent_id, epoch, status, active_sessions, last_heartbeat)
    select id, epoch, 'online', 0, now() from claimed
    on conflict (agent_id) do update
      set epoch = excluded.epoch, status = excluded.status, last_heartbeat = excluded.last_heartbeat
      where h.epoch < excluded.epoch
  )
  select epoch from claimed`;

/** Ownership of agents in the database. The epoch is the fence: it only grows, also over a restored backup. */
export function sqlAgentOwnership(options: SqlOwnershipOptions): SqlAgentOwnership {
  const { database, boot } = options;
  const flushMs = options.heartbeatFlushMs ?? Math.min(FLUSH_MS, (options.staleAfterMs ?? Infinity) / 4);
  const heartbeats = new Heartbeats({ ...options, flushMs });
  const releases = new Releases(options);
  return {
    async claim(request) {
      const { agentId, connectionId, instanceId, platform, region, capacity, fencingToken } = request;
      await releases.settle(agentId);
      let epoch: number | undefined;
      try {
        const { rows } = await retryConflicts(() =>
          database.query<{ epoch: number }>(CLAIM, [
            agentId,
            connectionId,
            instanceId,
            boot.podName,
            platform,
            region ?? null,
            toJsonText(capacityToJson(capacity)),
            fencingToken ?? null,
            boot.bootId,
          ]),
        );
        epoch = rows[0]?.epoch;
      } catch (error) {
        // It may have taken effect, and the caller ends the connection.
        if (isDatabaseError(error) && UNKNOWN_OUTCOME.has(error.code))
          releases.claimFailed(agentId, connectionId);
        throw error;
      }
      if (epoch === undefined) return refusalOf(database, request);
      releases.claimed(agentId, connectionId);
      heartbeats.claimed(agentId, epoch, connectionId);
      return { ok: true, epoch };
    },

    async release(agentId, connectionId, epoch) {
      heartbeats.released(agentId, epoch);
      await releases.release(agentId, connectionId, epoch);
    },

    heard: (agentId, epoch, report) => heartbeats.heard(agentId, epoch, report),
    onSuperseded: (listener) => heartbeats.onSuperseded(listener),
    async flush() {
      await heartbeats.flush();
      await releases.flush();
    },
    async close() {
      heartbeats.close();
      await releases.close();
    },
  };
}

/** Why nothing was claimed. Looked up afterwards: a refusal changes nothing, so it need not be exact to the instant. */
async function refusalOf(database: Database, { agentId, fencingToken }: ClaimRequest): Promise<Claim> {
  const { rows } = await database.query<{ leader_token: number; instance_id: string | null }>(
    'select leader_token, instance_id from agents where agent_id = $1',
    [agentId],
  );
  const held = rows[0];
  if (held === undefined)
    return { ok: false, code: 'agent_unknown', message: `agent ${agentId} was never added here` };
  const highest = held.leader_token;
  if ((fencingToken ?? 0) >= highest)
    return {
      ok: false,
      code: 'duplicate_instance',
      message: `instance ${held.instance_id} holds this agent's connection and was replaced twice within ${INSTANCE_CHANGE_WINDOW_MS / 1000} s: is the agent's key used twice?`,
      incumbent: held.instance_id ?? 'unknown',
    };
  return {
    ok: false,
    code: 'fencing_token_too_low',
    message:
      fencingToken === undefined
        ? `a fencing token is needed: ${highest} was seen of this agent already`
        : `fencing token ${fencingToken} is below ${highest}, which was seen already`,
    highestFencingToken: highest,
  };
}
