import type { AgentEpoch, AgentReport } from '@streamspace/hub';
import { capacityToJson } from './capacity.js';
import { hasDatabaseEnded } from './database-error.js';
import type { Database, Row } from './database.js';
import type { Boot } from './replicas.js';
import { retryConflicts } from './retry.js';
import { toJsonText } from './storable.js';

export interface HeartbeatsOptions {
  database: Database;
  /** The replica whose connections these are. */
  boot: Boot;
  /** How long what only says that an agent is alive waits to be written, in ms. */
  flushMs: number;
  /** These agents counted as connected to no replica, or to another one, and are connected to this one again. */
  onRestored?: (agentIds: readonly string[]) => void;
  onError?: (error: unknown, where: string) => void;
}

/** Most agents of one statement. */
const CHUNK = 2_000;
/** What `active_sessions` can hold. What an agent says is a hint, and no reason to lose the rest of its report. */
const LARGEST_INT4 = 2_147_483_647;

interface Held {
  readonly epoch: number;
  readonly connectionId: string;
  /** As the database has it. */
  written: AgentReport['status'];
  /** What is not written yet, and when it was heard, on the monotonic clock. */
  unwritten: { readonly report: AgentReport; readonly at: number } | undefined;
}

interface Written extends Row {
  readonly count: number;
  readonly differing: readonly string[] | null;
}

/** Whether `agents` row `a` does not say that the connection of `r` is the agent's; `$2` the boot, `$3` its pod name. */
const DIFFERS = `(a.status <> 'online' or a.pod_name is distinct from $3::text or a.boot_id is distinct from $2::uuid
    or a.websocket_conn_id is distinct from r.connection_id or a.boot_conn_id is distinct from r.connection_id)`;

/**
 * The guard is on the row's own epoch; the row's other columns have no index, so that it is updated in place. Says how
 * many agents it wrote, and which of them have a row that differs: the row is joined anyway.
 */
const WRITE = `
  with written as (
    update agent_heartbeats h
       set last_heartbeat = greatest(h.last_heartbeat, now() - r.age * interval '1 millisecond'),
           status = r.status, active_sessions = r.sessions
      from json_to_recordset($1::json)
             as r(agent_id text, epoch bigint, connection_id text, age float8, status text, sessions integer)
      join agents a on a.agent_id = r.agent_id
     where h.agent_id = a.id and h.epoch = r.epoch and a.closed_epoch < r.epoch
    returning case when ${DIFFERS} then r.agent_id end as differing
  )
  select count(*) as count, array_remove(array_agg(differing), null) as differing from written`;

/**
 * Only rows that differ, and none that a claim, a release or a placement holds now: the next heartbeat finds them. The
 * guards are on the row's own columns, so that they hold for the row as it is when its lock is had.
 */
const RESTORE = `
  with differing as materialized (
    select a.id, r.connection_id
      from json_to_recordset($1::json) as r(agent_id text, epoch bigint, connection_id text)
      join agents a on a.agent_id = r.agent_id
     where a.epoch = r.epoch and a.closed_epoch < r.epoch and ${DIFFERS}
     order by a.id for no key update of a skip locked
  )
  update agents a
     set status = 'online', websocket_conn_id = d.connection_id, pod_name = $3::text, boot_id = $2::uuid,
         boot_conn_id = d.connection_id, updated_at = now()
    from differing d where a.id = d.id
  returning a.agent_id`;

/**
 * Only for those who said it, and only where it is another: the row is a placement's to lock. As in a claim, what the
 * agent leaves out stays.
 */
const RESIZE = `
  update agents a set capacity = a.capacity || r.capacity, updated_at = now()
    from json_to_recordset($1::json) as r(agent_id text, epoch bigint, capacity jsonb)
   where a.agent_id = r.agent_id and a.epoch = r.epoch and a.closed_epoch < r.epoch
     and a.capacity is distinct from a.capacity || r.capacity`;

/** Which of these are not the agent's epoch any more, or are closed. */
const REPLACED = `
  select r.agent_id, r.epoch from json_to_recordset($1::json) as r(agent_id text, epoch bigint)
   where not exists (
     select 1 from agents a join agent_heartbeats h on h.agent_id = a.id
      where a.agent_id = r.agent_id and h.epoch = r.epoch and a.closed_epoch < r.epoch)`;

/**
 * What agents say of themselves. A change of status is written at once. What only says that the agent is alive waits
 * and is written for all agents together, so that ten thousand of them cost a few statements every few seconds.
 *
 * One entry is kept for each agent whose connection was claimed here: that bounds what waits while the database is away.
 * What could not be written is written when it is back, with the time at which it was heard.
 *
 * A heartbeat also proves that the connection is there. Where the agent's row says otherwise (another process forgot it,
 * a backup was restored, somebody changed it), the row is restored, unless the epoch is closed or not the current one.
 */
export class Heartbeats {
  readonly #agents = new Map<string, Held>();
  readonly #options: HeartbeatsOptions;
  readonly #listeners = new Set<(replaced: AgentEpoch) => void>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #flushing: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: HeartbeatsOptions) {
    this.#options = options;
  }

  /** The claim has written that the agent is online. */
  claimed(agentId: string, epoch: number, connectionId: string): void {
    const held = this.#agents.get(agentId);
    if (!held || held.epoch < epoch)
      this.#agents.set(agentId, { epoch, connectionId, written: 'online', unwritten: undefined });
  }

  released(agentId: string, epoch: number): void {
    if (this.#agents.get(agentId)?.epoch === epoch) this.#agents.delete(agentId);
  }

  /** Calls back for each report of a connection that was replaced; it was dropped. */
  onSuperseded(listener: (replaced: AgentEpoch) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(replaced: AgentEpoch): void {
    for (const listener of this.#listeners) listener(replaced);
  }

  async heard(agentId: string, epoch: number, report: AgentReport): Promise<void> {
    const held = this.#agents.get(agentId);
    if (!held || held.epoch !== epoch) {
      this.#tell({ agentId, epoch });
      return;
    }
    // Said once: it must not go under in the reports that follow it.
    const capacity = report.capacity ?? held.unwritten?.report.capacity;
    held.unwritten = { report: capacity ? { ...report, capacity } : report, at: performance.now() };
    if (report.status === held.written) this.#wait();
    else await this.#write([[agentId, held]]);
  }

  /** Writes everything that waits. Never rejects; what cannot be written goes on waiting. */
  async flush(): Promise<void> {
    await this.#flushing;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#flushing = this.#flushAll().finally(() => (this.#flushing = undefined));
    await this.#flushing;
  }

  async #flushAll(): Promise<void> {
    // In the order of a key, so that no two replicas wait for each other.
    const waiting = [...this.#agents]
      .filter(([, held]) => held.unwritten)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    for (let at = 0; at < waiting.length; at += CHUNK) {
      try {
        await this.#write(waiting.slice(at, at + CHUNK));
      } catch (error) {
        this.#options.onError?.(error, 'writing heartbeats');
        return;
      }
    }
  }

  async #write(agents: readonly (readonly [string, Held])[]): Promise<void> {
    const { bootId, podName } = this.#options.boot;
    const now = performance.now();
    const sent = agents.flatMap(([agentId, held]) =>
      held.unwritten ? [{ agentId, held, unwritten: held.unwritten }] : [],
    );
    const rows = sent.map(({ agentId, held, unwritten: { report, at } }) => ({
      agent_id: agentId,
      epoch: held.epoch,
      connection_id: held.connectionId,
      age: now - at,
      status: report.status,
      sessions: Math.min(report.activeSessions, LARGEST_INT4),
    }));
    const resized = sent.flatMap(({ agentId, held: { epoch }, unwritten: { report } }) =>
      report.capacity ? [{ agent_id: agentId, epoch, capacity: capacityToJson(report.capacity) }] : [],
    );
    let replaced: { agent_id: string; epoch: number }[] = [];
    try {
      if (resized.length > 0)
        await retryConflicts(() => this.#options.database.query(RESIZE, [toJsonText(resized)]));
      const json = toJsonText(rows);
      const written = await retryConflicts(() =>
        this.#options.database.query<Written>(WRITE, [json, bootId, podName]),
      );
      const { count, differing } = written.rows[0]!;
      if (count < rows.length) ({ rows: replaced } = await this.#options.database.query(REPLACED, [json]));
      if (differing && differing.length > 0) await this.#restore(rows, new Set(differing));
    } catch (error) {
      if (!hasDatabaseEnded(error)) this.#wait();
      throw error;
    }
    for (const { held, unwritten } of sent) {
      held.written = unwritten.report.status;
      if (held.unwritten === unwritten) held.unwritten = undefined;
    }
    for (const { agent_id, epoch } of replaced) this.#tell({ agentId: agent_id, epoch });
  }

  async #restore(
    rows: readonly { agent_id: string; epoch: number; connection_id: string }[],
    differing: ReadonlySet<string>,
  ): Promise<void> {
    const { database, boot, onRestored } = this.#options;
    const due = rows.flatMap(({ agent_id, epoch, connection_id }) =>
      differing.has(agent_id) ? [{ agent_id, epoch, connection_id }] : [],
    );
    const restored = await retryConflicts(() =>
      database.query<Row & { agent_id: string }>(RESTORE, [toJsonText(due), boot.bootId, boot.podName]),
    );
    if (restored.rows.length > 0) onRestored?.(restored.rows.map(({ agent_id }) => agent_id).sort());
  }

  /** Stops the timer. What was not flushed is lost: at most a few seconds of heartbeats. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #wait(): void {
    if (this.#isClosed) return;
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => void this.flush(), this.#options.flushMs);
    this.#timer.unref();
  }
}
