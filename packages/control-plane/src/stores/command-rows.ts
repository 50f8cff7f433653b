import { HubError, type NewCommand, type Outcome } from '@streamspace/hub';
import { ACKNOWLEDGE, enqueueStatement, REPORT } from './command-statements.js';
import type { Queryable, Row } from './database.js';
import { AGAIN } from './group-commit.js';
import { toJsonText } from './storable.js';

/** What an agent says of a command: an acknowledgement, or an outcome. */
export interface Report {
  readonly commandId: string;
  readonly agentId: string;
  /** Of the connection that said so. */
  readonly epoch: number | undefined;
  /** `undefined` for an acknowledgement. */
  readonly outcome: Outcome | undefined;
  /** Nobody said so: it was given up here. What an agent has an outcome of, it has taken. */
  readonly isGivenUp?: boolean;
}

/** Writes commands, not two of one session. Resolves with the numbers of those that were written. */
export async function writeCommands(
  on: Queryable,
  commands: readonly NewCommand[],
): Promise<Map<string, number>> {
  const hasStops = commands.some(({ action }) => action === 'stop_session');
  const { rows } = await on.query<{ command_id: string; seq: number }>(
    enqueueStatement({ hasStops, isOne: commands.length === 1 }),
    [
      toJsonText(
        commands.map((command) => ({
          command_id: command.commandId,
          agent_id: command.agentId,
          session_id: command.sessionId,
          generation: command.generation,
          action: command.action,
          payload: command.payload,
          deadline: new Date(command.deadline),
        })),
      ),
    ],
  );
  return new Map(rows.map(({ command_id, seq }) => [command_id, seq]));
}

/** What one batch says of one command: the furthest of it. */
interface Merged {
  readonly first: Report;
  acked: boolean;
  /** The first outcome. */
  outcome: Report | undefined;
}

const isSameSpeaker = (a: Report, b: Report): boolean => a.agentId === b.agentId && a.epoch === b.epoch;

/** One entry for each command. What another connection says of the same one has to wait for the next batch. */
function merge(reports: readonly Report[]): Map<string, Merged> {
  const merged = new Map<string, Merged>();
  for (const report of reports) {
    const entry = merged.get(report.commandId) ?? { first: report, acked: false, outcome: undefined };
    if (!isSameSpeaker(entry.first, report)) continue;
    if (report.outcome) entry.outcome ??= report;
    if (report.isGivenUp !== true) entry.acked = true;
    merged.set(report.commandId, entry);
  }
  return merged;
}

function toRow({ acked, outcome: report, first }: Merged): Record<string, unknown> {
  const outcome = report?.outcome;
  const failed = outcome?.state === 'failed' ? outcome : undefined;
  return {
    command_id: first.commandId,
    agent_id: first.agentId,
    epoch: first.epoch ?? null,
    status: outcome?.state ?? 'ack',
    acked,
    result: outcome?.state === 'completed' ? (outcome.result ?? null) : null,
    error_code: failed ? (failed.code ?? 'command_failed') : null,
    error_message: failed?.error ?? null,
  };
}

interface ReportRow extends Row {
  command_id: string;
  session_id: string;
  verdict: 'done' | 'moved' | 'stale';
}

/**
 * Writes what agents say. For each whether it was the first of its kind; {@link AGAIN} when the session changed while
 * the statement waited for it, an error when the agent has a newer connection than the one that said it.
 */
export async function writeReports(
  on: Queryable,
  reports: readonly Report[],
  changed: (sessionId: string) => void,
): Promise<(boolean | Error | typeof AGAIN)[]> {
  const merged = merge(reports);
  const statement = reports.some(({ outcome }) => outcome) ? REPORT : ACKNOWLEDGE;
  const { rows } = await on.query<ReportRow>(statement, [toJsonText([...merged.values()].map(toRow))]);
  const written = new Map(rows.map((row) => [row.command_id, row]));
  const isFinal = (commandId: string): boolean => merged.get(commandId)?.outcome !== undefined;
  for (const row of rows) if (row.verdict === 'done' && isFinal(row.command_id)) changed(row.session_id);
  return reports.map((report) => {
    const entry = merged.get(report.commandId)!;
    if (!isSameSpeaker(entry.first, report)) return AGAIN;
    const verdict = written.get(report.commandId)?.verdict;
    if (verdict === 'stale') return staleEpoch(report);
    if (verdict === 'moved') return AGAIN;
    return verdict === 'done' && (report.outcome === undefined || report === entry.outcome);
  });
}

const staleEpoch = ({ agentId, epoch, commandId }: Report): HubError =>
  new HubError(
    'stale_epoch',
    `epoch ${epoch} of agent ${agentId} was replaced by a newer one; what it says of command ${commandId} is dropped`,
    false,
  );
