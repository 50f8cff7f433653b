import type { NewCommand } from '@streamspace/hub';
import type { HeldSession, Judged, Reconciled, SessionChange, SessionStore } from '../domain/ports.js';
import { writeCommands } from './command-rows.js';
import { newCommandId, OPEN } from './commands.js';
import type { Database, Queryable, Row } from './database.js';
import { GroupCommit } from './group-commit.js';
import { retryConflicts } from './retry.js';
import { startPayload } from './start-payload.js';
import { storableText, toJsonText } from './storable.js';

/**
 * A command that ended this short a time ago on the agent's present connection: the inventory may have been taken
 * before its effect and arrive after its result. After a new connection the inventory is always the later one.
 */
const SETTLING = `interval '5 seconds'`;

/** Most sessions that one transaction changes. It locks them all. */
export const RECONCILE_BATCH = 32;

interface HeldRow extends Row {
  id: string;
  agent: string | null;
  generation: number;
  desired_state: HeldSession['desired'];
  state: HeldSession['state'];
  busy: boolean;
}

/**
 * How far an agent's word may move a session's generation. An agent is ahead of a database that was restored, by as
 * many starts as the backup is old; past this it is wrong or means harm, and gets what it holds only in part.
 */
const GENERATION_LEAP = 1_000_000;

const clamped = (judged: Judged, generation: number): number =>
  Math.min(generation, judged.generation + GENERATION_LEAP);

export async function heldBy(on: Queryable, agentId: string, ids: readonly string[]): Promise<HeldSession[]> {
  const { rows } = await on.query<HeldRow>(
    `select s.id, o.agent_id as agent, s.generation, s.desired_state, s.state,
            exists (
              select 1 from agent_commands c join agents me on me.id = c.agent_id
               where c.session_id = s.id and me.agent_id = $1
                 and (c.status in ${OPEN}
                   or (c.sent_epoch = me.epoch and c.completed_at > now() - ${SETTLING}))) as busy
       from sessions s left join agents o on o.id = s.agent_id
      where (s.agent_id = (select id from agents where agent_id = $1)
              and (s.desired_state in ('running', 'hibernated') or s.state = 'terminating'))
         or s.id in (select jsonb_array_elements_text($2::jsonb))
      order by s.id`,
    [agentId, toJsonText(ids)],
  );
  return rows.map((row) => ({
    id: row.id,
    agentId: row.agent,
    generation: row.generation,
    desired: row.desired_state,
    state: row.state,
    busy: row.busy,
  }));
}

/** A change, and what it was judged by. */
export interface JudgedChange {
  readonly judged: Judged;
  readonly change: SessionChange;
}

interface JudgedRow extends Row {
  id: string;
  template: string;
  manifest: Record<string, unknown>;
  username: string;
  desired_state: HeldSession['desired'];
  state: HeldSession['state'];
  generation: number;
  error_code: string | null;
  error_message: string | null;
  /** Placed on the agent that was judged. */
  here: boolean;
  /** The agent's connection is still the one that was judged, and its epoch is not closed. */
  current: boolean;
  /** The generation is still the one that was judged, and no command is on its way to that agent. */
  holds: boolean;
}

/** Columns of a session that a change sets. */
type NewState = Pick<
  JudgedRow,
  'id' | 'generation' | 'state' | 'desired_state' | 'error_code' | 'error_message'
>;

interface Written {
  readonly session?: NewState;
  readonly command?: Pick<NewCommand, 'action' | 'generation' | 'payload'>;
}

/** What the change writes; `undefined` where the session is in no state for it. */
function effectOf(row: JudgedRow, { judged, change }: JudgedChange): Written | undefined {
  const { id, generation, state, desired_state, error_code, error_message } = row;
  const before: NewState = { id, generation, state, desired_state, error_code, error_message };
  const well = { error_code: null, error_message: null };
  switch (change.action) {
    case 'restart': {
      if (!row.here || desired_state !== 'running') return undefined;
      const next = clamped(judged, change.newGeneration);
      const payload = startPayload({ user: row.username, template: row.template, manifest: row.manifest });
      return {
        session: { ...before, ...well, generation: next, state: 'pending' },
        command: { action: 'start_session', generation: next, payload },
      };
    }
    case 'stop': {
      if (desired_state === 'external' || (row.here && desired_state !== 'terminated')) return undefined;
      const { heldGeneration } = change;
      // Agents refuse what is below the generation that they hold; elsewhere the session may be further.
      const stopped = row.here ? Math.max(judged.generation, heldGeneration) : heldGeneration;
      return {
        command: { action: 'stop_session', generation: clamped(judged, stopped), payload: {} },
      };
    }
    case 'terminated':
      if (!row.here || state !== 'terminating') return undefined;
      return { session: { ...before, ...well, state: 'terminated' } };
    case 'failed':
      if (!row.here || state !== 'running' || desired_state === 'external') return undefined;
      return {
        session: {
          ...before,
          state: 'failed',
          desired_state: 'terminated',
          error_code: change.code,
          error_message: storableText(change.message),
        },
      };
    case 'hibernated': {
      const wanted = desired_state === 'running' || desired_state === 'hibernated';
      if (!row.here || !wanted || state !== 'running') return undefined;
      return { session: { ...before, ...well, state: 'hibernated', desired_state: 'hibernated' } };
    }
    case 'keep_running':
      if (!row.here || desired_state !== 'hibernated') return undefined;
      return { session: { ...before, state: 'running', desired_state: 'running' } };
  }
}

/**
 * Locks the sessions in the order of their ids, then their agents against a new claim, and reads them. With the agent's
 * row locked, its epoch cannot move before the commit: a condition on a row that is only joined would not see that.
 *
 * @param skips leaves out sessions that somebody else holds
 */
async function lockJudged(
  tx: Queryable,
  changes: readonly JudgedChange[],
  skips: boolean,
): Promise<Map<string, JudgedRow>> {
  const locked = await tx.query<Row & { id: string }>(
    `select id from sessions where id in (select json_array_elements_text($1::json))
      order by id for no key update${skips ? ' skip locked' : ''}`,
    [toJsonText(changes.map(({ judged }) => judged.sessionId))],
  );
  await tx.query(
    `select 1 from agents where agent_id in (select json_array_elements_text($1::json)) order by id for share`,
    [toJsonText([...new Set(changes.map(({ judged }) => judged.agentId))])],
  );
  const ids = new Set(locked.rows.map(({ id }) => id));
  const { rows } = await tx.query<JudgedRow>(
    `select s.id, s.template, s.manifest, u.username, s.desired_state, s.state, s.generation, s.error_code,
            s.error_message, s.agent_id is not distinct from a.id as here,
            a.epoch = g.epoch and a.closed_epoch < g.epoch as current,
            s.generation = g.generation and not exists (
              select 1 from agent_commands c
               where c.session_id = s.id and c.agent_id = a.id and c.status in ${OPEN}) as holds
       from json_to_recordset($1::json) as g(session_id text, agent_id text, epoch bigint, generation bigint)
       join sessions s on s.id = g.session_id join users u on u.id = s.user_id join agents a on a.agent_id = g.agent_id`,
    [
      toJsonText(
        changes
          .filter(({ judged }) => ids.has(judged.sessionId))
          .map(({ judged }) => ({
            session_id: judged.sessionId,
            agent_id: judged.agentId,
            epoch: judged.epoch,
            generation: judged.generation,
          })),
      ),
    ],
  );
  return new Map(rows.map((row) => [row.id, row]));
}

async function writeStates(tx: Queryable, states: readonly NewState[]): Promise<void> {
  if (states.length === 0) return;
  await tx.query(
    `update sessions s
        set generation = g.generation, state = g.state, desired_state = g.desired_state, error_code = g.error_code,
            error_message = g.error_message, updated_at = now()
       from json_to_recordset($1::json) as g(
              id text, generation bigint, state text, desired_state text, error_code text, error_message text)
      where s.id = g.id`,
    [toJsonText(states)],
  );
}

/**
 * Makes the changes of different sessions in one transaction, each only while what it was judged by still holds.
 *
 * @returns a result for each, in their order; `undefined` for a session that somebody else holds, with `skips`
 */
export async function changeJudged(
  tx: Queryable,
  changes: readonly JudgedChange[],
  { deadline, skips }: { deadline: number; skips: boolean },
): Promise<(Reconciled | undefined)[]> {
  const rows = await lockJudged(tx, changes, skips);
  const states: NewState[] = [];
  const commands: NewCommand[] = [];
  const results = changes.map((item): Reconciled | undefined => {
    const { sessionId, agentId } = item.judged;
    const row = rows.get(sessionId);
    if (!row) return skips ? undefined : 'unchanged';
    if (!row.current) return 'stale';
    const written = row.holds ? effectOf(row, item) : undefined;
    if (!written) return 'unchanged';
    if (written.session) states.push(written.session);
    if (written.command)
      commands.push({ commandId: newCommandId(), agentId, sessionId, deadline, ...written.command });
    return 'changed';
  });
  await writeStates(tx, states);
  if (commands.length > 0) await writeCommands(tx, commands);
  return results;
}

/**
 * Changes that come at the same time are made together. A session that somebody else holds is changed after the others,
 * and one that the database does not take fails alone.
 */
export function reconciling(database: Database, deadline: () => number): Pick<SessionStore, 'reconcile'> {
  const change = (items: readonly JudgedChange[], skips: boolean): Promise<(Reconciled | undefined)[]> =>
    database.transaction((tx) => changeJudged(tx, items, { deadline: deadline(), skips }));
  const alone = (item: JudgedChange): Promise<Reconciled | Error> =>
    retryConflicts(() => change([item], false)).then(
      ([result]) => result ?? 'unchanged',
      (error: unknown) => error as Error,
    );
  const lane = new GroupCommit().lane<JudgedChange, Reconciled>({
    name: 'reconcile',
    keyOf: ({ judged }) => judged.sessionId,
    batchItems: RECONCILE_BATCH,
    async write(items) {
      const skips = items.length > 1;
      const results: (Reconciled | Error | undefined)[] = await change(items, skips);
      for (const [at, item] of items.entries()) results[at] ??= await alone(item);
      return results as (Reconciled | Error)[];
    },
  });
  return { reconcile: (judged, made) => lane.add({ judged, change: made }) };
}
