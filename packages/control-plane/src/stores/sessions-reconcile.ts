import type { HeldSession, Judged } from '../domain/ports.js';
import { insertCommand, newCommandId, OPEN } from './commands.js';
import type { Queryable, Row } from './database.js';
import { startPayload } from './start-payload.js';
import { storableText, toJsonText } from './storable.js';

/**
 * A command that ended this short a time ago on the agent's present connection: the inventory may have been taken
 * before its effect and arrive after its result. After a new connection the inventory is always the later one.
 */
const SETTLING = `interval '5 seconds'`;

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

interface JudgedRow extends Row {
  template: string;
  manifest: Record<string, unknown>;
  username: string;
  desired_state: HeldSession['desired'];
  state: HeldSession['state'];
  /** Placed on the agent that was judged. */
  here: boolean;
}

/** Locks the session and returns it, if what was judged still holds and no command is on its way to that agent. */
async function lockJudged(tx: Queryable, judged: Judged): Promise<JudgedRow | undefined> {
  await tx.query('select 1 from sessions where id = $1 for no key update', [judged.sessionId]);
  const { rows } = await tx.query<JudgedRow>(
    `select s.template, s.manifest, u.username, s.desired_state, s.state, s.agent_id is not distinct from a.id as here
       from sessions s join users u on u.id = s.user_id, agents a
      where s.id = $1 and s.generation = $2 and a.agent_id = $3 and a.epoch = $4
        and not exists (
          select 1 from agent_commands c where c.session_id = s.id and c.agent_id = a.id and c.status in ${OPEN})`,
    [judged.sessionId, judged.generation, judged.agentId, judged.epoch],
  );
  return rows[0];
}

export async function restart(
  tx: Queryable,
  judged: Judged,
  wantedGeneration: number,
  deadline: number,
): Promise<boolean> {
  const newGeneration = clamped(judged, wantedGeneration);
  const row = await lockJudged(tx, judged);
  if (!row || !row.here || row.desired_state !== 'running') return false;
  await tx.query(
    `update sessions set generation = $2, state = 'pending', error_code = null, error_message = null,
            updated_at = now() where id = $1`,
    [judged.sessionId, newGeneration],
  );
  await insertCommand(tx, {
    commandId: newCommandId(),
    agentId: judged.agentId,
    sessionId: judged.sessionId,
    generation: newGeneration,
    action: 'start_session',
    payload: startPayload({ user: row.username, template: row.template, manifest: row.manifest }),
    deadline,
  });
  return true;
}

export async function stopHeld(
  tx: Queryable,
  judged: Judged,
  heldGeneration: number,
  deadline: number,
): Promise<boolean> {
  const row = await lockJudged(tx, judged);
  if (!row || row.desired_state === 'external' || (row.here && row.desired_state !== 'terminated'))
    return false;
  await insertCommand(tx, {
    commandId: newCommandId(),
    agentId: judged.agentId,
    sessionId: judged.sessionId,
    // Agents refuse what is below the generation that they hold; elsewhere the session may be further.
    generation: clamped(judged, row.here ? Math.max(judged.generation, heldGeneration) : heldGeneration),
    action: 'stop_session',
    payload: {},
    deadline,
  });
  return true;
}

export async function markTerminated(tx: Queryable, judged: Judged): Promise<boolean> {
  const row = await lockJudged(tx, judged);
  if (!row || !row.here || row.state !== 'terminating') return false;
  await tx.query(
    `update sessions set state = 'terminated', error_code = null, error_message = null, updated_at = now()
      where id = $1`,
    [judged.sessionId],
  );
  return true;
}

export async function markFailed(
  tx: Queryable,
  judged: Judged,
  error: { code: string; message: string },
): Promise<boolean> {
  const row = await lockJudged(tx, judged);
  if (!row || !row.here || row.state !== 'running') return false;
  await tx.query(
    `update sessions set state = 'failed', desired_state = 'terminated', error_code = $2, error_message = $3,
            updated_at = now() where id = $1`,
    [judged.sessionId, error.code, storableText(error.message)],
  );
  return true;
}

export async function markHibernated(tx: Queryable, judged: Judged): Promise<boolean> {
  const row = await lockJudged(tx, judged);
  const wanted = row?.desired_state === 'running' || row?.desired_state === 'hibernated';
  if (!row || !row.here || !wanted || row.state !== 'running') return false;
  await tx.query(
    `update sessions set state = 'hibernated', desired_state = 'hibernated', error_code = null, error_message = null,
            updated_at = now() where id = $1`,
    [judged.sessionId],
  );
  return true;
}

export async function keepRunning(tx: Queryable, judged: Judged): Promise<boolean> {
  const row = await lockJudged(tx, judged);
  if (!row || !row.here || row.desired_state !== 'hibernated') return false;
  await tx.query(
    `update sessions set state = 'running', desired_state = 'running', updated_at = now() where id = $1`,
    [judged.sessionId],
  );
  return true;
}
