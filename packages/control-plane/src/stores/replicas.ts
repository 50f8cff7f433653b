import type { Database, Queryable, Row } from './database.js';
import { retryConflicts } from './retry.js';
import { toJsonText } from './storable.js';

/** One start of a control plane. */
export interface Boot {
  /** Random per start, a UUID. */
  readonly bootId: string;
  readonly podName: string;
}

/** How long replicas may be silent, in ms, by the database's clock. */
export interface ReplicaTiming {
  readonly beatMs: number;
  /** A replica that has not beaten for this long is dead. */
  readonly deadMs: number;
  /** A replica judges others once it has beaten for this long without a gap. */
  readonly judgeMs: number;
}

/** How long a replica may be silent, in ms, unless it is said otherwise. */
export const DEAD_MS = 9_000;

/** @param deadMs three beats */
export const replicaTiming = (deadMs: number): ReplicaTiming => ({
  beatMs: deadMs / 3,
  deadMs,
  judgeMs: (deadMs * 10) / 9,
});

/** A gap between two beats from which on a replica may have missed that another one beat, in beats. */
const GAP_BEATS = 1.5;

/** Another boot that has the same pod name and has not ended in order. */
export interface Holder {
  readonly bootId: string;
  readonly startedAt: Date;
  /** Its last beat as the row has it, in µs of the database's clock when it was written. Only equality counts. */
  readonly lastBeatUs: number;
  /** Wrong while the database's clock is set to another time. */
  readonly silentMs: number;
}

/** What `take` found; times in ms of the database's clock. */
export interface Look {
  readonly now: number;
  readonly holders: readonly Holder[];
}

/** Connections of one boot that count as gone. */
export interface Forgotten {
  readonly podName: string | null;
  /** `undefined`: of a version that writes none. */
  readonly bootId: string | undefined;
  readonly count: number;
}

/** The rows of replicas, and the connections of agents that each of them holds. */
export interface ReplicaStore {
  /**
   * Looks who has this boot's pod name. When `judge` says that those are gone, their connections are forgotten, their
   * rows deleted, and this boot has the name. Two starts at once: the second one sees the first one's row.
   *
   * @param judge whether the holders are gone
   * @returns what was forgotten; `undefined` where `judge` said no, or where a holder has beaten since the look
   */
  take(judge: (look: Look) => boolean): Promise<Forgotten[] | undefined>;
  /** As `take`, without a question: no other process can have this database open. All other boots are gone. */
  takeAlone(): Promise<Forgotten[]>;
  /** Says that this boot lives. A row that another replica deleted is there again. */
  beat(): Promise<void>;
  /**
   * Deletes the rows of boots that do not beat and forgets their connections. Without effect unless this boot itself
   * has beaten for long enough.
   */
  reap(): Promise<Forgotten[]>;
  /**
   * As `reap`, for connections that belong to no row: of boots whose row is gone, and of versions that have no rows,
   * by the age of the agent's last heartbeat.
   */
  reapUnknown(): Promise<Forgotten[]>;
  /** Ends this boot in order: its row is deleted, and what it still holds is forgotten. */
  end(): Promise<void>;
}

export interface SqlReplicaStoreOptions extends Boot {
  database: Database;
  timing: ReplicaTiming;
  /** An agent that was not heard of for this long counts as offline, in ms. */
  staleAfterMs: number;
}

/** Whether `agents` row `a` was claimed by the boot that it names, and not by a version that names none. */
const HAS_BOOT = 'a.boot_id is not null and a.boot_conn_id is not distinct from a.websocket_conn_id';
/** The epoch stays: the connection may still be there, and then its next heartbeat brings it back. */
const FORGET = `status = 'offline', websocket_conn_id = null, pod_name = null, boot_id = null, boot_conn_id = null,
                updated_at = now()`;
const MS = `interval '1 millisecond'`;
/** Exact: a number of JavaScript holds these µs until the year 2255. */
const LAST_BEAT_US = '(extract(epoch from r.last_beat) * 1000000)::bigint';

interface ForgottenRow extends Row {
  pod_name: string | null;
  boot_id: string | null;
  count: number;
}

const toForgotten = ({ pod_name, boot_id, count }: ForgottenRow): Forgotten => ({
  podName: pod_name,
  bootId: boot_id ?? undefined,
  count,
});

/** Forgets the connections that `due (id, pod_name, boot_id)` names. */
const forgetting = (due: string): string => `
  ${due}, forgotten as (
    update agents a set ${FORGET} from due where a.id = due.id
    returning due.pod_name as held_by, due.boot_id as held_boot
  )
  select held_by as pod_name, held_boot as boot_id, count(*) as count from forgotten group by 1, 2 order by 1, 2`;

/** The connections of the boots that `gone` holds. */
const DUE_OF_GONE = `due as materialized (
    select a.id, a.pod_name, a.boot_id from agents a join gone on gone.boot_id = a.boot_id
     where ${HAS_BOOT} order by a.id for no key update of a
  )`;

/** `$1` this boot, `$2` how old a beat may be, `$3` how long the judge must have beaten, in ms. */
const JUDGE = `judge as materialized (
    select 1 from replicas where boot_id = $1 and last_beat > now() - $2::float8 * ${MS}
       and beating_since < now() - $3::float8 * ${MS}
  )`;

const REAP = forgetting(`
  with ${JUDGE}, gone as (
    delete from replicas r using judge where r.last_beat < now() - $2::float8 * ${MS} returning r.boot_id
  ), ${DUE_OF_GONE}`);

/** `$4` how old the heartbeat of an agent may be whose replica has no row, in ms. */
const REAP_UNKNOWN = forgetting(`
  with ${JUDGE}, due as materialized (
    select a.id, a.pod_name, case when ${HAS_BOOT} then a.boot_id end as boot_id
      from agents a cross join judge left join agent_heartbeats h on h.agent_id = a.id
     where (a.status = 'online' or a.websocket_conn_id is not null)
       and case when ${HAS_BOOT} then not exists (select 1 from replicas r where r.boot_id = a.boot_id)
                else coalesce(h.last_heartbeat < now() - $4::float8 * ${MS}, true) end
     order by a.id for no key update of a skip locked
  )`);

/** Locks the rows of `$1` whose last beat is still the one of the look: a holder may wake after it. */
const LOCK_UNCHANGED = `
  select r.boot_id from json_to_recordset($1::json) as h(boot_id uuid, last_beat_us bigint)
    join replicas r on r.boot_id = h.boot_id and ${LAST_BEAT_US} = h.last_beat_us
   order by r.boot_id for update of r`;

const TAKE_FROM = forgetting(`
  with gone as (delete from replicas where boot_id = any($1::uuid[]) returning boot_id), ${DUE_OF_GONE}`);

const TAKE_ALL = forgetting(`
  with gone as (delete from replicas where boot_id <> $1), due as materialized (
    select a.id, a.pod_name, case when ${HAS_BOOT} then a.boot_id end as boot_id from agents a
     where (a.status = 'online' or a.websocket_conn_id is not null) order by a.id for no key update of a
  )`);

const END = forgetting(`
  with gone as (delete from replicas where boot_id = $1), due as materialized (
    select a.id, a.pod_name, a.boot_id from agents a
     where a.boot_id = $1 and ${HAS_BOOT} order by a.id for no key update of a
  )`);

/** `$3` is the longest gap between two beats, in ms. */
const BEAT = `
  insert into replicas as r (boot_id, pod_name) values ($1, $2)
  on conflict (boot_id) do update set last_beat = now(),
    beating_since = case when r.last_beat < now() - $3::float8 * ${MS} then now() else r.beating_since end`;

export function sqlReplicaStore(options: SqlReplicaStoreOptions): ReplicaStore {
  const { database, bootId, podName, timing, staleAfterMs } = options;
  const { beatMs, deadMs, judgeMs } = timing;
  const beat = async (on: Queryable): Promise<void> => {
    await on.query(BEAT, [bootId, podName, beatMs * GAP_BEATS]);
  };
  const forget = async (on: Queryable, sql: string, params: unknown[]): Promise<Forgotten[]> => {
    const { rows } = await on.query<ForgottenRow>(sql, params);
    return rows.map(toForgotten);
  };

  return {
    take: (judge) =>
      retryConflicts(() =>
        database.transaction(async (tx) => {
          await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`replica ${podName}`]);
          const look = await lookAround(tx, { bootId, podName });
          if (!judge(look)) return undefined;
          if (!(await lockUnchanged(tx, look.holders))) return undefined;
          const gone = look.holders.map((holder) => holder.bootId);
          const forgotten = await forget(tx, TAKE_FROM, [gone]);
          await beat(tx);
          return forgotten;
        }),
      ),

    takeAlone: () =>
      retryConflicts(() =>
        database.transaction(async (tx) => {
          const forgotten = await forget(tx, TAKE_ALL, [bootId]);
          await beat(tx);
          return forgotten;
        }),
      ),

    beat: () => beat(database),
    reap: () => retryConflicts(() => forget(database, REAP, [bootId, deadMs, judgeMs])),
    reapUnknown: () =>
      retryConflicts(() => forget(database, REAP_UNKNOWN, [bootId, deadMs, judgeMs, staleAfterMs])),
    end: async () => void (await retryConflicts(() => forget(database, END, [bootId]))),
  };
}

/** @returns false where a holder has beaten or has ended since it was looked at */
async function lockUnchanged(tx: Queryable, holders: readonly Holder[]): Promise<boolean> {
  if (holders.length === 0) return true;
  const seen = holders.map(({ bootId, lastBeatUs }) => ({ boot_id: bootId, last_beat_us: lastBeatUs }));
  const { rows } = await tx.query(LOCK_UNCHANGED, [toJsonText(seen)]);
  return rows.length === holders.length;
}

async function lookAround(tx: Queryable, { bootId, podName }: Boot): Promise<Look> {
  const { rows } = await tx.query<
    Row & { now: number; boot_id: string | null; started_at: Date; last_beat_us: number; silent: number }
  >(
    `select extract(epoch from t.now)::float8 * 1000 as now, r.boot_id, r.started_at, ${LAST_BEAT_US} as last_beat_us,
            extract(epoch from t.now - r.last_beat)::float8 * 1000 as silent
       from (select clock_timestamp() as now) t
       left join replicas r on r.pod_name = $1 and r.boot_id <> $2
      order by r.last_beat desc`,
    [podName, bootId],
  );
  const holders = rows.flatMap(({ boot_id, started_at, last_beat_us, silent }) =>
    boot_id === null
      ? []
      : [{ bootId: boot_id, startedAt: started_at, lastBeatUs: last_beat_us, silentMs: silent }],
  );
  return { now: rows[0]!.now, holders };
}
