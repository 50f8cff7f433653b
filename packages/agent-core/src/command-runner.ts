import type { AgentMessage, AgentPayloads } from '@streamspace/protocol';
import type { Command } from './carry-out.js';
import { describeFailure, PlatformError } from './errors.js';
import { ResultLog, type Result } from './result-log.js';
import { Slots } from './slots.js';

/** Commands that may be here without a result. Past it one fails with `capacity_exhausted`. */
const HELD_COMMANDS = 1_024;
/** Longest time that a timer can wait for, in ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** How long the platform may take to let go of a command that was given up, in ms. Past it nobody waits for it. */
export const LET_GO_MS = 5_000;

export interface CommandRunnerOptions {
  /** Resolves with the result for the control plane; rejects when the command has failed, or with the signal's reason. */
  carryOut: (command: Command, signal: AbortSignal) => Promise<Record<string, unknown>>;
  /** Commands that are carried out at once; more wait for their turn. */
  parallel: number;
  /** Sends to the control plane; does nothing while there is no connection. */
  send: (message: AgentMessage) => void;
  /** A command came that is known here. */
  onRepeated?: (command: Command) => void;
  onStarted?: (command: Command) => void;
  onFinished?: (command: Command, result: Result) => void;
  /** A command was given up and has failed, but what the platform does for it goes on. */
  onStuck?: (command: Command) => void;
  /** What the platform did for such a command is over. */
  onLetGo?: (command: Command) => void;
  /** @default LET_GO_MS */
  letGoMs?: number;
}

interface Held {
  readonly command: Command;
  readonly giveUp: AbortController;
  /** Of its deadline; once it is given up, of how long the platform may take to let go. */
  timer?: ReturnType<typeof setTimeout>;
  phase: 'waiting' | 'acting' | 'stuck';
  /** Gives its slot back. */
  release?: () => void;
}

/** The commands of one session. */
interface Line {
  readonly waiting: Set<Held>;
  /** Whose turn it is; also while it is stuck. */
  current: Held | undefined;
  /** When none is left. */
  over: Promise<void>;
}

/**
 * Carries out commands: each id once, those of a session one after the other, sessions side by side.
 *
 * A command: (received) → waiting (for those of its session that came before, and for a slot) → acting → finished →
 * reported. One that comes again while it is here is acknowledged again, and one that is finished is answered with its
 * result. Results are kept until the control plane has them. Given up (by `cancel`, or since its time has passed), a
 * waiting command fails at once, and an acting one when the platform has let go, or `letGoMs` later at the latest. In that
 * case it is stuck: it has failed and gives its slot to another session (unless as many are stuck as there are slots:
 * a platform that hangs is not to collect calls without end), while its session's turn is held until the platform's
 * call has ended, since no other call for the session may overtake it. What comes of that call is nobody's result.
 *
 * The runner: open → refusing (what comes is not acknowledged, so that it is handed to whoever acts next) → aborted.
 */
export class CommandRunner {
  readonly #options: CommandRunnerOptions;
  readonly #slots: Slots;
  readonly #held = new Map<string, Held>();
  readonly #results = new ResultLog();
  readonly #lines = new Map<string, Line>();
  readonly #stuck = new Set<Held>();
  #status: 'open' | 'refusing' | 'aborted' = 'open';

  constructor(options: CommandRunnerOptions) {
    this.#options = options;
    this.#slots = new Slots(options.parallel);
  }

  get counts(): { acting: number; waiting: number; stuck: number; unreported: number } {
    let acting = 0;
    for (const { phase } of this.#held.values()) if (phase === 'acting') acting += 1;
    return {
      acting,
      waiting: this.#held.size - acting,
      stuck: this.#stuck.size,
      unreported: this.#results.unreported,
    };
  }

  /** As many calls of the platform are stuck as commands may be carried out at once. */
  get isStuck(): boolean {
    return this.#stuck.size >= this.#options.parallel;
  }

  /** Whether a command of the session is here without a result. */
  isBusy(sessionId: string): boolean {
    const line = this.#lines.get(sessionId);
    return line !== undefined && (line.waiting.size > 0 || line.current?.phase !== 'stuck');
  }

  receive(command: Command): void {
    const { commandId, sessionId } = command;
    const known = this.#results.recall(commandId);
    if (known) {
      this.#options.onRepeated?.(command);
      this.#options.send(known);
      return;
    }
    if (this.#status !== 'open') return;
    this.#options.send({ type: 'ack', payload: { commandId } });
    if (this.#held.has(commandId)) {
      this.#options.onRepeated?.(command);
      return;
    }
    const held = this.#hold(command);
    if (this.#held.size > HELD_COMMANDS) {
      const problem = `${HELD_COMMANDS} commands are waiting here already; allowed are no more`;
      this.#settle(held, failure(commandId, new PlatformError('capacity_exhausted', problem, true)));
      return;
    }
    const line = this.#lines.get(sessionId);
    if (line) line.waiting.add(held);
    else this.#begin(held);
  }

  cancel(commandId: string, reason: string): void {
    const held = this.#held.get(commandId);
    if (held) this.#giveUp(held, new PlatformError('cancelled', reason));
  }

  /** The control plane has the result. It stays remembered, in case the command comes again. */
  reported(commandId: string): void {
    this.#results.reported(commandId);
  }

  /** What the control plane has to know when a new connection begins. */
  snapshot(): Pick<AgentPayloads['hello'], 'running' | 'finished'> {
    return { running: [...this.#held.keys()], finished: this.#results.forHello() };
  }

  /** Sends again what the control plane has not said to have, but for `except`, which it was told another way. */
  resend(except: ReadonlySet<string> = new Set()): void {
    for (const result of this.#results.pending())
      if (!except.has(result.payload.commandId)) this.#options.send(result);
  }

  /** Resolves when nothing is being carried out, and no call of the platform is stuck. */
  async idle(): Promise<void> {
    while (this.#lines.size > 0) await Promise.all([...this.#lines.values()].map(({ over }) => over));
  }

  /** Resolves when the control plane has every result. */
  settled(): Promise<void> {
    return this.#results.settled();
  }

  /** From now on nothing new is taken. */
  refuse(): void {
    if (this.#status === 'open') this.#status = 'refusing';
  }

  /** Aborts what is being carried out. It stays without a result: whoever acts next is handed it again. */
  abort(reason: Error): void {
    this.#status = 'aborted';
    for (const held of this.#held.values()) {
      clearTimeout(held.timer);
      held.giveUp.abort(reason);
      if (held.phase === 'waiting') this.#drop(held);
    }
  }

  #hold(command: Command): Held {
    const held: Held = {
      command,
      giveUp: new AbortController(),
      phase: 'waiting',
    };
    held.timer = setTimeout(
      () => {
        const problem = `${command.action} took longer than ${command.timeoutMs} ms`;
        this.#giveUp(held, new PlatformError('timeout', problem));
      },
      Math.min(command.timeoutMs, LONGEST_TIMER_MS),
    );
    this.#held.set(command.commandId, held);
    return held;
  }

  #giveUp(held: Held, reason: PlatformError): void {
    // Only the first reason counts, and the time that it allows.
    if (held.giveUp.signal.aborted) return;
    clearTimeout(held.timer);
    held.giveUp.abort(reason);
    if (held.phase === 'waiting') this.#settle(held, failure(held.command.commandId, reason));
    else held.timer = setTimeout(() => this.#leave(held, reason), this.#options.letGoMs ?? LET_GO_MS);
  }

  /** The platform has not let go of the command: it fails without it. */
  #leave(held: Held, reason: PlatformError): void {
    const mayRelease = !this.isStuck;
    held.phase = 'stuck';
    this.#stuck.add(held);
    this.#options.onStuck?.(held.command);
    this.#settle(held, failure(held.command.commandId, reason));
    if (mayRelease) held.release?.();
  }

  #begin(first: Held): void {
    const { sessionId } = first.command;
    const line: Line = { waiting: new Set([first]), current: undefined, over: Promise.resolve() };
    this.#lines.set(sessionId, line);
    // In a later turn of the loop's microtasks, so that what is received together is acknowledged first.
    line.over = Promise.resolve().then(async () => {
      for (const next of line.waiting) {
        line.waiting.delete(next);
        line.current = next;
        await this.#turn(next);
        line.current = undefined;
      }
      this.#lines.delete(sessionId);
    });
  }

  async #turn(held: Held): Promise<void> {
    const { command, giveUp } = held;
    try {
      held.release = await this.#slots.take(giveUp.signal);
      giveUp.signal.throwIfAborted();
      held.phase = 'acting';
      this.#options.onStarted?.(command);
      const outcome = await this.#options.carryOut(command, giveUp.signal);
      const { commandId } = command;
      this.#settle(held, { type: 'complete', payload: { commandId, result: outcome } });
    } catch (error) {
      if (this.#status === 'aborted') this.#drop(held);
      else this.#settle(held, failure(command.commandId, error));
    } finally {
      held.release?.();
      if (this.#stuck.delete(held) && this.#status !== 'aborted') this.#options.onLetGo?.(command);
    }
  }

  /** Only the first end of a command counts. */
  #settle(held: Held, result: Result): void {
    if (!this.#drop(held)) return;
    const kept = this.#results.add(result);
    this.#options.onFinished?.(held.command, kept);
    this.#options.send(kept);
  }

  #drop(held: Held): boolean {
    const { commandId, sessionId } = held.command;
    clearTimeout(held.timer);
    this.#lines.get(sessionId)?.waiting.delete(held);
    return this.#held.delete(commandId);
  }
}

const failure = (commandId: string, error: unknown): Result => ({
  type: 'failed',
  payload: { commandId, ...describeFailure(error) },
});
