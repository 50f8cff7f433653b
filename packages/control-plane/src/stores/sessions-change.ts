import { Refusal } from '../domain/errors.js';
import { noAgents, obstacles } from '../domain/scheduling.js';
import type { Session } from '../domain/session.js';
import { lockAgent, type AgentsView } from './agents-store.js';
import { insertCommand, newCommandId, OPEN } from './commands.js';
import type { Queryable } from './database.js';
import { lockSession, readSession, toSession, type SessionRow } from './session-rows.js';
import { startPayload } from './start-payload.js';

async function changed(tx: Queryable, id: string): Promise<Session | undefined> {
  const row = await readSession(tx, id);
  return row && toSession(row);
}

/** What another agent is told about session `$1` is its own affair. */
const OF_ITS_AGENT = 'agent_id = (select agent_id from sessions where id = $1)';

async function isAnyCommand(tx: Queryable, id: string, condition: string): Promise<boolean> {
  const { rows } = await tx.query(
    `select 1 from agent_commands where session_id = $1 and ${OF_ITS_AGENT} and ${condition} limit 1`,
    [id],
  );
  return rows.length > 0;
}

/** Also those that were recalled. */
const WAS_SENT = '(sent_at is not null or retry_count > 0)';
const IS_OPEN_STOP = `command_type = 'stop_session' and status in ${OPEN}`;

/** What is `terminating` without a stop on its way is stopped again; until that is done, it goes on saying what failed. */
export async function stopSession(tx: Queryable, id: string, deadline: number): Promise<Session | undefined> {
  const row = await lockSession(tx, id);
  if (!row || row.state === 'terminated') return row && toSession(row);
  const isAgain = row.state === 'terminating';
  if (isAgain && (await isAnyCommand(tx, id, IS_OPEN_STOP))) return toSession(row);
  // A start that nobody has seen need not be undone.
  await tx.query(
    `update agent_commands
        set status = 'failed', completed_at = now(), error_code = 'cancelled', error_message = 'The session was stopped first.'
      where session_id = $1 and status = 'pending' and ${OF_ITS_AGENT}`,
    [id],
  );
  const hasRun = isAgain || row.state === 'running' || row.state === 'hibernated';
  // What an earlier version made is not ours to end.
  const wasSeen =
    (hasRun || (await isAnyCommand(tx, id, WAS_SENT))) &&
    row.agent !== null &&
    row.desired_state !== 'external';
  if (!(isAgain && wasSeen))
    await tx.query(
      `update sessions set state = $2, desired_state = 'terminated', error_code = null, error_message = null,
              wait_until = null, updated_at = now() where id = $1`,
      [id, wasSeen ? 'terminating' : 'terminated'],
    );
  if (wasSeen)
    await insertCommand(tx, {
      commandId: newCommandId(),
      agentId: row.agent!,
      sessionId: id,
      generation: row.generation,
      action: 'stop_session',
      payload: {},
      deadline,
    });
  return changed(tx, id);
}

/** A session that an agent of ours has, in the state that a change needs. @throws Refusal `session_state` */
function demand(row: SessionRow, state: 'running' | 'hibernated', what: string): string {
  if (row.desired_state === 'external' || row.agent === null)
    throw new Refusal('session_state', `Session ${row.id} is not on an agent of ours; it cannot be ${what}.`);
  if (row.state !== state || (row.desired_state !== 'running' && row.desired_state !== state))
    throw new Refusal(
      'session_state',
      `Session ${row.id} is ${row.state}; only one that is ${state} can be ${what}.`,
      {
        remedy: `Wait until it is ${state}, or look at its state first.`,
      },
    );
  return row.agent;
}

export async function hibernateSession(
  tx: Queryable,
  id: string,
  deadline: number,
): Promise<Session | undefined> {
  const row = await lockSession(tx, id);
  if (!row || row.desired_state === 'hibernated') return row && toSession(row);
  const agentId = demand(row, 'running', 'hibernated');
  await tx.query(
    `update sessions set desired_state = 'hibernated', error_code = null, error_message = null, updated_at = now()
      where id = $1`,
    [id],
  );
  await insertCommand(tx, {
    commandId: newCommandId(),
    agentId,
    sessionId: id,
    generation: row.generation,
    action: 'hibernate_session',
    payload: {},
    deadline,
  });
  return changed(tx, id);
}

export async function wakeSession(
  tx: Queryable,
  id: string,
  { deadline, ...view }: AgentsView & { deadline: number },
): Promise<Session | undefined> {
  const row = await lockSession(tx, id);
  const isAwake = row?.desired_state === 'running' && (row.state === 'running' || row.state === 'pending');
  if (!row || isAwake) return row && toSession(row);
  const agentId = demand(row, 'hibernated', 'woken');
  const agent = await lockAgent(tx, agentId, view);
  // Where it is its memory is: another agent will not do, and this one need not be wanted for anything but room.
  if (agent && obstacles(agent, {}).length > 0) throw noAgents([agent], {});
  await tx.query(
    `update sessions set state = 'pending', desired_state = 'running', error_code = null, error_message = null,
            updated_at = now() where id = $1`,
    [id],
  );
  await insertCommand(tx, {
    commandId: newCommandId(),
    agentId,
    sessionId: id,
    generation: row.generation,
    action: 'wake_session',
    payload: startPayload({ user: row.username, template: row.template, manifest: row.manifest }),
    deadline,
  });
  return changed(tx, id);
}
