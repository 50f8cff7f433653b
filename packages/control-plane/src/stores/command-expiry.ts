import type { Command, NewCommand, Outcome } from '@streamspace/hub';
import { writeCommands, writeReports } from './command-rows.js';
import { COMMAND_COLUMNS, newCommandId, OPEN, toCommand, type CommandRow } from './commands.js';
import type { Database, Queryable } from './database.js';
import { retryConflicts } from './retry.js';
import { toJsonText } from './storable.js';

/** Most commands that one call of `expireDue` fails. The rest is found by the next sweep. */
const EXPIRE_BATCH = 200;

type Failure = Outcome & { state: 'failed' };

/** Fails what is past its deadline, together with its sessions. Resolves with what was failed, as it was before. */
export async function expireDue(
  database: Database,
  now: number,
  commandTimeoutMs: number,
): Promise<Command[]> {
  // Without a lock, and mostly empty: the transaction looks again.
  const due = await database.query<{ command_id: string }>(
    `select command_id from agent_commands
      where completed_at is null and status in ${OPEN} and deadline <= $1::timestamptz
      order by deadline limit ${EXPIRE_BATCH}`,
    [new Date(now)],
  );
  const ids = due.rows.map(({ command_id }) => command_id);
  if (ids.length === 0) return [];
  return giveUp(database, ids, {
    stillDue: ({ deadline }) => deadline <= now,
    failureOf: pastDeadline,
    undoDeadline: now + commandTimeoutMs,
    leavesLocked: true,
  });
}

/** Fails what was sent as often as it may be. Resolves with the sessions that it was for. */
export async function failExhausted(
  database: Database,
  commandIds: readonly string[],
  commandTimeoutMs: number,
): Promise<string[]> {
  const failed = await giveUp(database, commandIds, {
    stillDue: () => true,
    failureOf: ({ agentId, attempts }) => ({
      state: 'failed',
      code: 'attempts_exhausted',
      error: `Agent ${agentId} was sent the command ${attempts} times and did not finish it.`,
    }),
    undoDeadline: Date.now() + commandTimeoutMs,
  });
  return failed.map(({ sessionId }) => sessionId);
}

function pastDeadline({ state, agentId }: Command): Failure {
  return state === 'pending'
    ? {
        state: 'failed',
        code: 'agent_unavailable',
        error: `Agent ${agentId} was not there to take the command in time.`,
      }
    : {
        state: 'failed',
        code: 'deadline_exceeded',
        error: `Agent ${agentId} took the command and did not finish it in time.`,
      };
}

interface GivingUp {
  stillDue(command: Command): boolean;
  failureOf(command: Command): Failure;
  /** Deadline of the commands that undo others, in ms since the epoch. */
  readonly undoDeadline: number;
  /** What somebody else is writing is left to the next sweep, so that one session holds up no other. */
  readonly leavesLocked?: boolean;
}

function giveUp(database: Database, commandIds: readonly string[], how: GivingUp): Promise<Command[]> {
  return retryConflicts(() =>
    database.transaction(async (tx) => {
      const due = (await lockOpen(tx, commandIds, how)).filter((command) => how.stillDue(command));
      if (due.length === 0) return [];
      await writeReports(
        tx,
        due.map((command) => ({
          commandId: command.commandId,
          agentId: command.agentId,
          epoch: undefined,
          outcome: how.failureOf(command),
          isGivenUp: true,
        })),
        () => undefined,
      );
      for (const batch of oneOfEachSession(await undo(tx, due, how))) await writeCommands(tx, batch);
      return due;
    }),
  );
}

/**
 * What the agent has taken it may have done by half, or finish yet. What it made by a start must go. What it woke is put
 * away again, which changes nothing where it was not woken; a stop would lose what was in it. Where something else has
 * become of the session meanwhile (it is stopped, for example), that says what is to be done, and a wake is left alone.
 */
async function undo(
  tx: Queryable,
  givenUp: readonly Command[],
  { undoDeadline }: GivingUp,
): Promise<NewCommand[]> {
  const taken = givenUp.filter(({ state }) => state !== 'pending');
  const asleep = await stillHibernated(
    tx,
    taken.filter(({ action }) => action === 'wake_session'),
  );
  return taken.flatMap(({ commandId, agentId, sessionId, generation, action }) => {
    if (action !== 'start_session' && !asleep.has(commandId)) return [];
    return {
      commandId: newCommandId(),
      agentId,
      sessionId,
      generation,
      action: action === 'start_session' ? 'stop_session' : 'hibernate_session',
      payload: {},
      deadline: undoDeadline,
    };
  });
}

/** Those of these wakes whose session, in their generation and on their agent, is hibernated now that they failed. */
async function stillHibernated(tx: Queryable, wakes: readonly Command[]): Promise<Set<string>> {
  if (wakes.length === 0) return new Set();
  const { rows } = await tx.query<{ command_id: string }>(
    `select c.command_id
       from agent_commands c
       join sessions s on s.id = c.session_id and s.generation = c.generation and s.agent_id = c.agent_id
      where c.command_id in (select json_array_elements_text($1::json)) and s.state = 'hibernated'`,
    [toJsonText(wakes.map(({ commandId }) => commandId))],
  );
  return new Set(rows.map(({ command_id }) => command_id));
}

/** As few batches as can be with no two commands of one session in any. */
function oneOfEachSession(commands: readonly NewCommand[]): NewCommand[][] {
  const batches: Map<string, NewCommand>[] = [];
  for (const command of commands) {
    const batch = batches.find((candidate) => !candidate.has(command.sessionId)) ?? new Map();
    if (batch.size === 0) batches.push(batch);
    batch.set(command.sessionId, command);
  }
  return batches.map((batch) => [...batch.values()]);
}

/** Those that are open; their sessions' rows and their own are locked. */
async function lockOpen(
  tx: Queryable,
  commandIds: readonly string[],
  { leavesLocked }: GivingUp,
): Promise<Command[]> {
  const ids = toJsonText(commandIds);
  const skip = leavesLocked === true ? ' skip locked' : '';
  const sessions = await tx.query<{ id: string }>(
    `select id from sessions
      where id in (select session_id from agent_commands
                    where command_id in (select json_array_elements_text($1::json)))
      order by id for no key update${skip}`,
    [ids],
  );
  const { rows } = await tx.query<CommandRow>(
    `select ${COMMAND_COLUMNS} from agent_commands c join agents a on a.id = c.agent_id
      where c.command_id in (select json_array_elements_text($1::json)) and c.status in ${OPEN}
        and c.session_id in (select json_array_elements_text($2::json))
      order by c.command_id for update of c${skip}`,
    [ids, toJsonText(sessions.rows.map(({ id }) => id))],
  );
  return rows.map(toCommand);
}
