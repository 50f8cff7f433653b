import { HubError, LOST_AFTER_MS, type Command, type CommandQueue, type NewCommand } from '@streamspace/hub';
import { expireDue, failExhausted } from './command-expiry.js';
import { writeCommands, writeReports, type Report } from './command-rows.js';
import { CLAIM, RECALL, RESUME, WAITING } from './command-statements.js';
import { COMMAND_COLUMNS, OPEN, toCommand, type CommandRow } from './commands.js';
import type { Database } from './database.js';
import { GroupCommit } from './group-commit.js';
import { retryConflicts } from './retry.js';
import { toJsonText } from './storable.js';

export interface SqlCommandQueueOptions {
  database: Database;
  /** Time that a command gets which the queue enqueues by itself, to undo another, in ms. @default 120_000 */
  commandTimeoutMs?: number;
  /** How often a command is sent at most; then it fails with `attempts_exhausted`. @default 10 */
  maxAttempts?: number;
  /** A session's row was changed by an outcome. */
  onSessionChanged?: (sessionId: string) => void;
}

/** Most agents of one claim; each takes as many commands as its window has room for. */
const CLAIMING_AGENTS = 64;

interface Asked {
  readonly agentId: string;
  readonly epoch: number;
  readonly room: number;
}

interface ClaimedRow extends CommandRow {
  exhausted: boolean;
  created_at: Date;
}

/**
 * The command queue in the database. What callers ask for at the same time is written together: a few statements are in
 * flight, and everything that comes meanwhile rides in the next. A command and its session's row are written in one
 * statement, and so are an outcome and what it makes of the session.
 */
export function sqlCommandQueue(options: SqlCommandQueueOptions): CommandQueue {
  const { database } = options;
  const commandTimeoutMs = options.commandTimeoutMs ?? 120_000;
  const maxAttempts = options.maxAttempts ?? 10;
  const changed = (sessionId: string): void => options.onSessionChanged?.(sessionId);
  const commit = new GroupCommit();

  const enqueues = commit.lane<NewCommand, Command>({
    name: 'enqueue',
    keyOf: ({ sessionId }) => sessionId,
    write: (commands) => enqueueAll(database, commands),
  });

  const claims = commit.lane<Asked, Command[]>({
    name: 'claim',
    keyOf: ({ agentId }) => agentId,
    batchItems: CLAIMING_AGENTS,
    async write(asked) {
      const { rows } = await database.query<ClaimedRow>(CLAIM, [
        toJsonText(asked.map(({ agentId, epoch, room }) => ({ agent_id: agentId, epoch, room }))),
        maxAttempts,
      ]);
      const exhausted = rows.filter((row) => row.exhausted).map(({ command_id }) => command_id);
      if (exhausted.length > 0)
        for (const sessionId of await failExhausted(database, exhausted, commandTimeoutMs))
          changed(sessionId);
      const byAgent = new Map<string, ClaimedRow[]>(asked.map(({ agentId }) => [agentId, []]));
      for (const row of rows) if (!row.exhausted) byAgent.get(row.agent_id)?.push(row);
      return asked.map(({ agentId }) => byAgent.get(agentId)!.sort(oldestFirst).map(toCommand));
    },
  });

  const reports = commit.lane<Report, boolean>({
    name: 'report',
    write: (all) => writeReports(database, all, changed),
  });

  return {
    enqueue: (command) => enqueues.add(command),
    claim: (agentId, epoch, limit) => claims.add({ agentId, epoch, room: limit }),
    acknowledge: async (commandId, agentId, epoch) =>
      void (await reports.add({ commandId, agentId, epoch, outcome: undefined })),
    finish: (commandId, agentId, outcome, epoch) => reports.add({ commandId, agentId, epoch, outcome }),

    async recall(agentId, epoch, held) {
      await retryConflicts(() => database.query(RECALL, [agentId, epoch, toJsonText(held)]));
    },

    async waiting(agents) {
      const asked = agents.map(({ agentId, epoch }) => ({ agent_id: agentId, epoch }));
      const { rows } = await database.query<{ agent_id: string }>(WAITING, [
        toJsonText(asked),
        LOST_AFTER_MS,
      ]);
      return rows.map(({ agent_id }) => agent_id);
    },

    async resume(agentId, epoch, commandIds) {
      const { rows } = await retryConflicts(() =>
        database.query<{ command_id: string }>(RESUME, [agentId, epoch, toJsonText(commandIds)]),
      );
      return rows.map(({ command_id }) => command_id);
    },

    async expire(now) {
      const expired = await expireDue(database, now, commandTimeoutMs);
      for (const { sessionId } of expired) changed(sessionId);
      return expired;
    },
  };
}

const oldestFirst = (a: ClaimedRow, b: ClaimedRow): number =>
  a.created_at.getTime() - b.created_at.getTime() || (a.command_id < b.command_id ? -1 : 1);

async function enqueueAll(database: Database, commands: readonly NewCommand[]): Promise<(Command | Error)[]> {
  const numbers = await writeCommands(database, commands);
  const known = await find(
    database,
    commands.map(({ commandId }) => commandId).filter((commandId) => !numbers.has(commandId)),
  );
  return commands.map((command) => {
    const seq = numbers.get(command.commandId);
    if (seq !== undefined) return { ...command, seq, state: 'pending', attempts: 0 };
    return (
      known.get(command.commandId) ??
      new HubError(
        'session_not_found',
        `there is no session ${command.sessionId} to give a command to, or no agent ${command.agentId}`,
        false,
      )
    );
  });
}

async function find(database: Database, commandIds: readonly string[]): Promise<Map<string, Command>> {
  if (commandIds.length === 0) return new Map();
  const { rows } = await database.query<CommandRow>(
    `select ${COMMAND_COLUMNS} from agent_commands c join agents a on a.id = c.agent_id
      where c.command_id in (select json_array_elements_text($1::json))`,
    [toJsonText(commandIds)],
  );
  return new Map(rows.map((row) => [row.command_id, toCommand(row)]));
}

/**
 * Gives every open command until `until` (ms since the epoch) at least. For the start of a control plane: the time in
 * which none ran is nobody's fault, and what users were promised before is still to be done.
 */
export async function extendDeadlines(database: Database, until: number): Promise<void> {
  await database.query(
    `update agent_commands set deadline = $1::timestamptz
      where completed_at is null and status in ${OPEN} and deadline < $1::timestamptz`,
    [new Date(until)],
  );
}
