import type { AgentOwnership, Claim, ClaimRequest } from '@streamspace/hub';
import { capacityToJson } from './capacity.js';
import type { Database } from './database.js';
import { toJsonText } from './storable.js';

export interface SqlOwnershipOptions {
  database: Database;
  /** The replica that the claims are for. */
  podName: string;
}

/** What `active_sessions` can hold. What an agent says is a hint, and no reason to lose the rest of its report. */
const LARGEST_INT4 = 2_147_483_647;

/** Ownership of agents in the database. The epoch is the fence: it only grows, also over a restored backup. */
export function sqlAgentOwnership({ database, podName }: SqlOwnershipOptions): AgentOwnership {
  return {
    async claim(request) {
      const { rows } = await database.query<{ epoch: number }>(
        `with claimed as (
           update agents
              set epoch = greatest(epoch + 1, floor(extract(epoch from clock_timestamp()) * 1000)::bigint),
                  websocket_conn_id = $2, pod_name = $4, status = 'online',
                  platform = $5, region = coalesce($6, region), capacity = capacity || $7::jsonb,
                  leader_token = greatest(leader_token, coalesce($8::bigint, 0)),
                  instance_id = $3,
                  updated_at = now()
            where agent_id = $1 and coalesce($8::bigint, 0) >= leader_token
          returning id, epoch
         )
         insert into agent_heartbeats (agent_id, epoch, status, active_sessions, last_heartbeat)
         select id, epoch, 'online', 0, now() from claimed
         on conflict (agent_id) do update
           set epoch = excluded.epoch, status = excluded.status, last_heartbeat = excluded.last_heartbeat
         returning epoch`,
        [
          request.agentId,
          request.connectionId,
          request.instanceId,
          podName,
          request.platform,
          request.region ?? null,
          toJsonText(capacityToJson(request.capacity)),
          request.fencingToken ?? null,
        ],
      );
      return rows[0] ? { ok: true, epoch: rows[0].epoch } : refusalOf(database, request);
    },

    async release(agentId, connectionId, epoch) {
      await database.query(
        `update agents set status = 'offline', websocket_conn_id = null, pod_name = null, updated_at = now()
          where agent_id = $1 and websocket_conn_id = $2 and epoch = $3`,
        [agentId, connectionId, epoch],
      );
    },

    async heard(agentId, epoch, report) {
      await database.query(
        `update agent_heartbeats h set last_heartbeat = now(), status = $3, active_sessions = $4
           from agents a where a.agent_id = $1 and h.agent_id = a.id and h.epoch = $2`,
        [agentId, epoch, report.status, Math.min(report.activeSessions, LARGEST_INT4)],
      );
    },
  };
}

/** Why nothing was claimed. Looked up afterwards: a refusal changes nothing, so it need not be exact to the instant. */
async function refusalOf(database: Database, request: ClaimRequest): Promise<Claim> {
  const { rows } = await database.query<{ leader_token: number }>(
    'select leader_token from agents where agent_id = $1',
    [request.agentId],
  );
  const highest = rows[0]?.leader_token;
  if (highest === undefined)
    return { ok: false, code: 'agent_unknown', message: `agent ${request.agentId} was never added here` };
  return {
    ok: false,
    code: 'fencing_token_too_low',
    message:
      request.fencingToken === undefined
        ? `a fencing token is needed: ${highest} was seen of this agent already`
        : `fencing token ${request.fencingToken} is below ${highest}, which was seen already`,
    highestFencingToken: highest,
  };
}
