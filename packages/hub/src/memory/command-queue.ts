import { randomUUID } from 'node:crypto';
import { COMMAND_MACHINE, UNDONE_BY, type CommandEvent } from '../command-machine.js';
import { HubError } from '../errors.js';
import { LOST_AFTER_MS } from '../ports.js';
import type { AgentEpoch, Command, CommandQueue, NewCommand, Outcome } from '../ports.js';

interface Row {
  command: Command;
  sentEpoch: number;
  sentAt: number;
  /** Under which the agent has said that it has it. */
  ackedEpoch: number;
  outcome?: Outcome;
}

const isOpen = (row: Row): boolean => row.command.state !== 'completed' && row.command.state !== 'failed';
const isLost = (row: Row): boolean =>
  row.ackedEpoch < row.sentEpoch && Date.now() - row.sentAt > LOST_AFTER_MS;
/** Whether giving it up leaves something to undo: a start and a wake do. */
const begins = ({ command }: Row): boolean => UNDONE_BY[command.action] !== undefined;

const move = ({ command }: Row, event: CommandEvent): Command => ({
  ...command,
  state: COMMAND_MACHINE.table[command.state][event].to,
});

export interface MemoryCommandQueueOptions {
  /** Finished commands that are kept; past it the oldest are forgotten. @default 10_000 */
  keepFinished?: number;
  /** How often a command is handed out at most; then it fails with `attempts_exhausted`. @default 10 */
  maxAttempts?: number;
  /** Time that a command gets which the queue enqueues by itself, to undo another, in ms. @default 120_000 */
  commandTimeoutMs?: number;
}

/** A command queue that lasts as long as this process: for tests, and for a control plane that keeps nothing. */
export function memoryCommandQueue(options: MemoryCommandQueueOptions = {}): CommandQueue {
  return new MemoryCommandQueue(options);
}

class MemoryCommandQueue implements CommandQueue {
  readonly #rows = new Map<string, Row>();
  readonly #sequences = new Map<string, number>();
  /** The newest epoch that each agent was seen with. */
  readonly #epochs = new Map<string, number>();
  readonly #finished: string[] = [];
  readonly #options: Required<MemoryCommandQueueOptions>;

  constructor(options: MemoryCommandQueueOptions) {
    this.#options = { keepFinished: 10_000, maxAttempts: 10, commandTimeoutMs: 120_000, ...options };
  }

  async enqueue(command: NewCommand): Promise<Command> {
    return this.#rows.get(command.commandId)?.command ?? this.#add(command);
  }

  #add(command: NewCommand): Command {
    const seq = (this.#sequences.get(command.sessionId) ?? 0) + 1;
    this.#sequences.set(command.sessionId, seq);
    if (command.action === 'stop_session') this.#cancelStartsBefore(command);
    const row: Row = {
      command: { ...command, seq, state: 'pending', attempts: 0 },
      sentEpoch: 0,
      sentAt: 0,
      ackedEpoch: 0,
    };
    this.#rows.set(command.commandId, row);
    return row.command;
  }

  #cancelStartsBefore(stop: NewCommand): void {
    for (const row of this.#rows.values()) {
      const { sessionId, agentId, state, generation } = row.command;
      if (sessionId !== stop.sessionId || agentId !== stop.agentId || generation > stop.generation) continue;
      if (state === 'pending' && begins(row))
        this.#settle(row, { state: 'failed', error: 'the session was stopped first', code: 'cancelled' });
    }
  }

  async claim(agentId: string, epoch: number, limit: number): Promise<Command[]> {
    if (!this.#isNewest(agentId, epoch)) return [];
    const claimed: Command[] = [];
    for (const row of this.#due(agentId, epoch)) {
      if (claimed.length >= limit) break;
      if (row.command.attempts >= this.#options.maxAttempts) {
        this.#giveUp(row, {
          state: 'failed',
          error: 'it was sent too often',
          code: 'attempts_exhausted',
        });
        continue;
      }
      row.sentEpoch = epoch;
      row.sentAt = Date.now();
      row.command = { ...move(row, 'claim'), attempts: row.command.attempts + 1 };
      claimed.push(row.command);
    }
    return claimed;
  }

  async recall(agentId: string, epoch: number, held: readonly string[]): Promise<void> {
    if (!this.#isNewest(agentId, epoch)) return;
    for (const row of this.#rows.values()) {
      const { command } = row;
      if (command.agentId !== agentId || !isOpen(row) || row.sentEpoch !== epoch) continue;
      // The agent may have it all the same: it stays sent, with its attempt.
      if (!held.includes(command.commandId)) row.sentEpoch = 0;
    }
  }

  async waiting(agents: readonly AgentEpoch[]): Promise<string[]> {
    const epochs = new Map(agents.map(({ agentId, epoch }) => [agentId, epoch]));
    const found = new Set<string>();
    for (const row of this.#heads()) {
      const { command, sentEpoch } = row;
      const epoch = epochs.get(command.agentId) ?? 0;
      if ((sentEpoch < epoch || isLost(row)) && epoch >= (this.#epochs.get(command.agentId) ?? 0))
        found.add(command.agentId);
    }
    return [...found];
  }

  async resume(agentId: string, epoch: number, commandIds: readonly string[]): Promise<string[]> {
    if (!this.#isNewest(agentId, epoch)) return [];
    return commandIds.filter((commandId) => {
      const row = this.#rows.get(commandId);
      if (!row || row.command.agentId !== agentId || !isOpen(row)) return false;
      row.sentEpoch = epoch;
      row.ackedEpoch = epoch;
      row.command = { ...move(row, 'resume'), attempts: Math.max(1, row.command.attempts) };
      return true;
    });
  }

  async acknowledge(commandId: string, agentId: string, epoch?: number): Promise<void> {
    const row = this.#reported(commandId, agentId, epoch);
    if (!row) return;
    row.ackedEpoch = row.sentEpoch;
    row.command = move(row, 'acknowledge');
  }

  async finish(commandId: string, agentId: string, outcome: Outcome, epoch?: number): Promise<boolean> {
    const row = this.#reported(commandId, agentId, epoch);
    if (!row || !isOpen(row)) return false;
    this.#settle(row, outcome);
    return true;
  }

  async expire(now: number): Promise<Command[]> {
    const due = [...this.#rows.values()].filter((row) => isOpen(row) && row.command.deadline <= now);
    return due.map((row) => {
      const { command } = row;
      this.#giveUp(row, { state: 'failed', error: 'the deadline passed', code: 'deadline_exceeded' });
      return command;
    });
  }

  /** Takes note of the epoch. Returns whether there is no newer one. */
  #isNewest(agentId: string, epoch: number): boolean {
    if (epoch < (this.#epochs.get(agentId) ?? 0)) return false;
    this.#epochs.set(agentId, epoch);
    return true;
  }

  /** Open commands that are the first of their session. */
  *#heads(): Generator<Row> {
    const sessions = new Set<string>();
    for (const row of this.#rows.values()) {
      if (!isOpen(row)) continue;
      const key = `${row.command.sessionId} ${row.command.agentId}`;
      if (sessions.has(key)) continue;
      sessions.add(key);
      yield row;
    }
  }

  #due(agentId: string, epoch: number): Row[] {
    return [...this.#heads()].filter((row) => row.command.agentId === agentId && row.sentEpoch < epoch);
  }

  #reported(commandId: string, agentId: string, epoch: number | undefined): Row | undefined {
    if (epoch !== undefined && epoch < (this.#epochs.get(agentId) ?? 0))
      throw new HubError(
        'stale_epoch',
        `epoch ${epoch} of agent ${agentId} was replaced by a newer one`,
        false,
      );
    const row = this.#rows.get(commandId);
    return row?.command.agentId === agentId ? row : undefined;
  }

  /** Fails it. What an agent may have made by a start must go; what it may have woken is put away again. */
  #giveUp(row: Row, outcome: Outcome): void {
    const { state, action, agentId, sessionId, generation } = row.command;
    this.#settle(row, outcome);
    const undo = UNDONE_BY[action];
    if (state === 'pending' || undo === undefined) return;
    // What was asked for later says what is to become of what was woken.
    if (action === 'wake_session' && this.#hasLater(row)) return;
    this.#add({
      commandId: randomUUID(),
      agentId,
      sessionId,
      generation,
      action: undo,
      payload: {},
      deadline: Date.now() + this.#options.commandTimeoutMs,
    });
  }

  #hasLater({ command: { sessionId, agentId, seq } }: Row): boolean {
    for (const { command } of this.#rows.values())
      if (command.sessionId === sessionId && command.agentId === agentId && command.seq > seq) return true;
    return false;
  }

  #settle(row: Row, outcome: Outcome): void {
    row.command = { ...row.command, state: outcome.state };
    row.outcome = outcome;
    this.#finished.push(row.command.commandId);
    if (this.#finished.length > this.#options.keepFinished) this.#rows.delete(this.#finished.shift()!);
  }
}
