import type { Command, CommandQueue, NewCommand, Outcome } from '@streamspace/hub';
import {
  COMMAND_COLUMNS,
  insertCommand,
  newCommandId,
  OPEN,
  toCommand,
  type CommandRow,
} from './commands.js';
import type { Database, Queryable } from './database.js';
import { retryConflicts } from './retry.js';
import { storableText, toJsonText } from './storable.js';

export interface SqlCommandQueueOptions {
  database: Database;
  /** Time that a stop gets which the queue enqueues by itself, in ms. @default 120_000 */
  commandTimeoutMs?: number;
  /** A session's row was changed by an outcome. */
  onSessionChanged?: (sessionId: string) => void;
}

/** Most commands that one call of `expire` fails. The rest is found by the next sweep. */
const EXPIRE_BATCH = 200;

/**
 * The command queue in the database. An outcome changes the session's row in the same transaction, and only when the
 * command is the latest for the agent that the session is placed on, and of its present generation: what an older one
 * says is history, and what another agent says of its own remains is nothing to the session.
 */
export function sqlCommandQueue(options: SqlCommandQueueOptions): CommandQueue {
  const { database } = options;
  const commandTimeoutMs = options.commandTimeoutMs ?? 120_000;
  const changed = (sessionId: string): void => options.onSessionChanged?.(sessionId);

  return {
    enqueue: (command) => retryConflicts(() => database.transaction((tx) => enqueue(tx, command))),

    async claim(agentId, epoch, limit) {
      // The guard is on the command's own column: a claim under a newer epoch that commits first wins.
      const { rows } = await database.query<CommandRow>(
        `with due as (
           select c.command_id
             from agents a join agent_commands c on c.agent_id = a.id
            where a.agent_id = $1 and a.epoch = $2
              and c.status in ${OPEN} and (c.sent_epoch is null or c.sent_epoch < $2)
              and not exists (
                select 1 from agent_commands e
                 where e.session_id = c.session_id and e.agent_id = c.agent_id and e.seq < c.seq
                   and e.status in ${OPEN})
            order by c.created_at, c.command_id
            limit $3
         )
         update agent_commands c
            set status = case when c.status = 'pending' then 'sent' else c.status end,
                sent_epoch = $2, sent_at = now(), retry_count = c.retry_count + 1
           from due, agents a
          where c.command_id = due.command_id and a.id = c.agent_id
            and c.status in ${OPEN} and (c.sent_epoch is null or c.sent_epoch < $2)
         returning ${COMMAND_COLUMNS}`,
        [agentId, epoch, limit],
      );
      return rows.map(toCommand);
    },

    async acknowledge(commandId, agentId) {
      await database.query(
        `update agent_commands set status = 'ack', acked_at = now()
          where command_id = $1 and status = 'sent'
            and agent_id = (select id from agents where agent_id = $2)`,
        [commandId, agentId],
      );
    },

    async finish(commandId, agentId, outcome) {
      const command = await retryConflicts(() =>
        database.transaction(async (tx) => {
          const open = await lockOpen(tx, commandId);
          if (!open || open.agentId !== agentId) return undefined;
          await settle(tx, open, outcome);
          return open;
        }),
      );
      if (command) changed(command.sessionId);
      return command !== undefined;
    },

    async expire(now) {
      const due = await database.query<{ command_id: string }>(
        `select command_id from agent_commands where status in ${OPEN} and deadline <= $1::timestamptz
          order by session_id, seq limit ${EXPIRE_BATCH}`,
        [new Date(now)],
      );
      const expired: Command[] = [];
      for (const { command_id } of due.rows) {
        const command = await retryConflicts(() =>
          database.transaction((tx) => expireOne(tx, command_id, now, commandTimeoutMs)),
        );
        if (!command) continue;
        expired.push(command);
        changed(command.sessionId);
      }
      return expired;
    },
  };
}

/**
 * Gives every open command until `until` (ms since the epoch) at least. For the start of a control plane: the time in
 * which none ran is nobody's fault, and what users were promised before is still to be done.
 */
export async function extendDeadlines(database: Database, until: number): Promise<void> {
  await database.query(
    `update agent_commands set deadline = $1::timestamptz where status in ${OPEN} and deadline < $1::timestamptz`,
    [new Date(until)],
  );
}

async function enqueue(tx: Queryable, command: NewCommand): Promise<Command> {
  // Every transaction takes the session's row before its commands' rows, so that no two wait for each other.
  await tx.query('select 1 from sessions where id = $1 for update', [command.sessionId]);
  const known = await tx.query<CommandRow>(
    `select ${COMMAND_COLUMNS} from agent_commands c join agents a on a.id = c.agent_id where c.command_id = $1`,
    [command.commandId],
  );
  return known.rows[0] ? toCommand(known.rows[0]) : insertCommand(tx, command);
}

/** The command, if it is open; its session's row and its own are locked. */
async function lockOpen(tx: Queryable, commandId: string): Promise<Command | undefined> {
  await tx.query(
    'select 1 from sessions where id = (select session_id from agent_commands where command_id = $1) for update',
    [commandId],
  );
  const { rows } = await tx.query<CommandRow>(
    `select ${COMMAND_COLUMNS} from agent_commands c join agents a on a.id = c.agent_id
      where c.command_id = $1 and c.status in ${OPEN} for update of c`,
    [commandId],
  );
  return rows[0] && toCommand(rows[0]);
}

/** Whether command `$3` of generation `$2` is the last word for session `s`, which is `$1`. */
const LATEST = `s.id = $1 and s.generation = $2 and exists (
  select 1 from agent_commands c
   where c.command_id = $3 and c.agent_id = s.agent_id
     and not exists (
       select 1 from agent_commands n
        where n.session_id = s.id and n.agent_id = s.agent_id and n.seq > c.seq))`;

async function settle(tx: Queryable, command: Command, outcome: Outcome): Promise<void> {
  const failure = outcome.state === 'failed' ? failureOf(outcome) : undefined;
  const result = outcome.state === 'completed' && outcome.result ? toJsonText(outcome.result) : null;
  await tx.query(
    `update agent_commands
        set status = $2, completed_at = now(), result = $3::jsonb, error_message = $4, error_code = $5
      where command_id = $1`,
    [command.commandId, outcome.state, result, failure?.error ?? null, failure?.code ?? null],
  );
  const latest = [command.sessionId, command.generation, command.commandId];
  if (failure) return failSession(tx, command, latest, failure);
  const to = COMPLETED[command.action];
  await tx.query(
    `update sessions s
        set state = $5, error_code = null, error_message = null, updated_at = now(),
            platform_metadata = coalesce($6::jsonb -> 'platformMetadata', platform_metadata)
      where ${LATEST} and s.state = $4`,
    [...latest, to.from, to.to, result],
  );
}

const failureOf = ({ code, error }: Outcome & { state: 'failed' }): { code: string; error: string } => ({
  code: storableText(code ?? 'command_failed'),
  error: storableText(error),
});

/** What the session becomes when its latest command is completed. */
const COMPLETED = {
  start_session: { from: 'pending', to: 'running' },
  wake_session: { from: 'pending', to: 'running' },
  hibernate_session: { from: 'running', to: 'hibernated' },
  stop_session: { from: 'terminating', to: 'terminated' },
} as const;

async function failSession(
  tx: Queryable,
  command: Command,
  latest: unknown[],
  failure: { error: string; code: string },
): Promise<void> {
  const starting = command.action === 'start_session' || command.action === 'wake_session';
  // A stop that failed leaves the session terminating: the next inventory says whether to try again.
  const change = starting ? `state = 'failed', desired_state = 'terminated',` : '';
  await tx.query(
    `update sessions s set ${change} error_code = $4, error_message = $5, updated_at = now()
      where ${LATEST} and s.state in ('pending', 'running', 'terminating')`,
    [...latest, failure.code, failure.error],
  );
}

async function expireOne(
  tx: Queryable,
  commandId: string,
  now: number,
  commandTimeoutMs: number,
): Promise<Command | undefined> {
  const command = await lockOpen(tx, commandId);
  if (!command || command.deadline > now) return undefined;
  const neverSent = command.state === 'pending';
  await settle(tx, command, {
    state: 'failed',
    code: neverSent ? 'agent_unavailable' : 'deadline_exceeded',
    error: neverSent
      ? `Agent ${command.agentId} was not there to take the command in time.`
      : `Agent ${command.agentId} took the command and did not finish it in time.`,
  });
  // The agent may have made half of it, or finish it yet: what it holds must go.
  if (!neverSent && command.action === 'start_session')
    await insertCommand(tx, {
      commandId: newCommandId(),
      agentId: command.agentId,
      sessionId: command.sessionId,
      generation: command.generation,
      action: 'stop_session',
      payload: {},
      deadline: now + commandTimeoutMs,
    });
  return command;
}
