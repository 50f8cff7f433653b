import type { Command, CommandQueue, NewCommand, Outcome } from '../ports.js';

interface Row {
  command: Command;
  sentEpoch: number;
  outcome?: Outcome;
}

const isOpen = (row: Row): boolean => row.command.state !== 'completed' && row.command.state !== 'failed';

/**
 * A command queue that lasts as long as this process: for tests, and for a control plane that keeps nothing.
 * Finished commands are kept up to `keepFinished`, then the oldest are forgotten.
 */
export function memoryCommandQueue(options: { keepFinished?: number } = {}): CommandQueue {
  const keepFinished = options.keepFinished ?? 10_000;
  const rows = new Map<string, Row>();
  const sequences = new Map<string, number>();
  const epochs = new Map<string, number>();
  const finished: string[] = [];

  const settle = (row: Row, outcome: Outcome): void => {
    row.command = { ...row.command, state: outcome.state };
    row.outcome = outcome;
    finished.push(row.command.commandId);
    if (finished.length > keepFinished) rows.delete(finished.shift()!);
  };
  /** Open commands that are the first of their session. */
  const heads = function* (): Generator<Row> {
    const sessions = new Set<string>();
    for (const row of rows.values()) {
      if (!isOpen(row) || sessions.has(row.command.sessionId)) continue;
      sessions.add(row.command.sessionId);
      yield row;
    }
  };

  return {
    async enqueue(command: NewCommand) {
      const known = rows.get(command.commandId);
      if (known) return known.command;
      const seq = (sequences.get(command.sessionId) ?? 0) + 1;
      sequences.set(command.sessionId, seq);
      const row: Row = { command: { ...command, seq, state: 'pending', attempts: 0 }, sentEpoch: 0 };
      rows.set(command.commandId, row);
      return row.command;
    },
    async claim(agentId, epoch, limit) {
      if (epoch < (epochs.get(agentId) ?? 0)) return [];
      epochs.set(agentId, epoch);
      const claimed: Command[] = [];
      for (const row of heads()) {
        if (claimed.length >= limit) break;
        if (row.command.agentId !== agentId || row.sentEpoch >= epoch) continue;
        row.sentEpoch = epoch;
        const state = row.command.state === 'pending' ? 'sent' : row.command.state;
        row.command = { ...row.command, state, attempts: row.command.attempts + 1 };
        claimed.push(row.command);
      }
      return claimed;
    },
    async acknowledge(commandId, agentId) {
      const row = rows.get(commandId);
      if (row?.command.agentId === agentId && row.command.state === 'sent')
        row.command = { ...row.command, state: 'ack' };
    },
    async finish(commandId, agentId, outcome) {
      const row = rows.get(commandId);
      if (!row || row.command.agentId !== agentId || !isOpen(row)) return false;
      settle(row, outcome);
      return true;
    },
    async expire(now) {
      const expired: Command[] = [];
      for (const row of rows.values()) {
        if (!isOpen(row) || row.command.deadline > now) continue;
        expired.push(row.command);
        settle(row, { state: 'failed', error: 'the deadline passed', code: 'deadline_exceeded' });
      }
      return expired;
    },
  };
}
