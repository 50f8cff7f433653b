import { randomUUID } from 'node:crypto';
import { hashToken } from '../auth/secrets.js';
import type { Database, Queryable } from '../stores/database.js';
import { createStores, type Stores } from '../stores/stores.js';

/** What an agent's row says of its connection. */
export interface ConnectionRow {
  readonly status: string;
  readonly pod_name: string | null;
  readonly boot_id: string | null;
  readonly websocket_conn_id: string | null;
  readonly epoch: number;
  readonly closed_epoch: number;
}

/** A replica with a name and a boot that no other has. */
export interface TestReplica extends Stores {
  readonly podName: string;
  readonly bootId: string;
  readonly restored: string[][];
  readonly errors: string[];
}

export function openReplica(
  database: Database,
  podName = `pod-${randomUUID().slice(0, 8)}`,
  bootId: string = randomUUID(),
): TestReplica {
  const restored: string[][] = [];
  const errors: string[] = [];
  const stores = createStores({
    database,
    podName,
    bootId,
    commandTimeoutMs: 60_000,
    staleAfterMs: 60_000,
    onRestored: (agentIds) => restored.push([...agentIds]),
    onError: (_error, where) => errors.push(where),
  });
  return { ...stores, podName, bootId, restored, errors };
}

/** An agent that is connected to this replica. */
export interface Connected {
  readonly agentId: string;
  readonly connectionId: string;
  readonly epoch: number;
}

export async function connectAgent(
  replica: Stores,
  options: { agentId?: string; instanceId?: string; connectionId?: string } = {},
): Promise<Connected> {
  const {
    agentId = `agent-${randomUUID().slice(0, 8)}`,
    connectionId = randomUUID(),
    instanceId = `instance of ${agentId}`,
  } = options;
  await replica.agents.setKeyHash(agentId, hashToken(agentId));
  const claim = await replica.ownership.claim({
    agentId,
    connectionId,
    instanceId,
    platform: 'suite',
    capacity: { maxSessions: 0 },
  });
  if (!claim.ok) throw new Error(claim.message);
  return { agentId, connectionId, epoch: claim.epoch };
}

/** The agent says that it lives, and that is written. */
export async function beatAgent(replica: Stores, { agentId, epoch }: Connected): Promise<void> {
  await replica.ownership.heard(agentId, epoch, { status: 'online', activeSessions: 0 });
  await replica.ownership.flush?.();
}

export async function rowOf(database: Database, agentId: string): Promise<ConnectionRow> {
  const { rows } = await database.query<ConnectionRow & Readonly<Record<string, unknown>>>(
    `select status, pod_name, boot_id, websocket_conn_id, epoch, closed_epoch from agents where agent_id = $1`,
    [agentId],
  );
  return rows[0]!;
}

/** As versions before the table of replicas wrote a claim. */
export async function claimAsBefore(database: Database, agentId: string, podName: string): Promise<void> {
  await database.query(
    `update agents set epoch = epoch + 1, websocket_conn_id = $2, pod_name = $3, status = 'online' where agent_id = $1`,
    [agentId, randomUUID(), podName],
  );
}

/** Moves times into the past, as if they had passed. */
export async function passed(database: Queryable, seconds: number, ...bootIds: string[]): Promise<void> {
  await database.query(
    `update replicas set last_beat = last_beat - $1::float8 * interval '1 second',
            beating_since = beating_since - $1::float8 * interval '1 second'
      where boot_id = any($2::uuid[])`,
    [seconds, bootIds],
  );
}

/** Makes a judge of this replica, whatever this machine took its time with. */
export async function makeJudge(database: Database, { replicas, bootId }: TestReplica): Promise<void> {
  await replicas.beat();
  await database.query(`update replicas set beating_since = now() - interval '1 minute' where boot_id = $1`, [
    bootId,
  ]);
}
