import {
  decodeAgentMessage,
  encodeMessage,
  type AgentMessage,
  type AgentPayloads,
  type ControlPayloads,
} from '@streamspace/protocol';
import { describeFailure, PlatformError } from './errors.js';
import { carryOut } from './carry-out.js';
import type { Platform } from './platform.js';

type Command = ControlPayloads['command'];
type Result =
  | { type: 'complete'; payload: AgentPayloads['complete'] }
  | { type: 'failed'; payload: AgentPayloads['failed'] };

/** Finished commands that are remembered, so that one that comes again is not carried out again. */
const REMEMBERED_RESULTS = 10_000;

export interface CommandRunnerOptions {
  platform: Platform;
  /** Sends to the control plane; does nothing while there is no connection. */
  send: (message: AgentMessage) => void;
  onStarted?: (command: Command) => void;
  onFinished?: (command: Command, result: Result) => void;
}

interface Running {
  readonly command: Command;
  readonly cancel: AbortController;
}

/**
 * Carries out commands: each id once, those of a session one after the other, sessions side by side.
 *
 * A command: (received) → running → finished → acknowledged. One that comes again while it runs is acknowledged again,
 * and one that is finished is answered with its result. Results are kept until the control plane has them.
 */
export class CommandRunner {
  readonly #options: CommandRunnerOptions;
  readonly #running = new Map<string, Running>();
  /** Results of finished commands, oldest first. */
  readonly #finished = new Map<string, Result>();
  /** Finished commands whose result the control plane does not have yet. */
  readonly #unreported = new Set<string>();
  /** The end of the last command of each session. */
  readonly #sessions = new Map<string, Promise<void>>();
  readonly #stop = new AbortController();

  constructor(options: CommandRunnerOptions) {
    this.#options = options;
  }

  receive(command: Command): void {
    const { commandId, sessionId } = command;
    const known = this.#finished.get(commandId);
    if (known) {
      this.#unreported.add(commandId);
      this.#options.send(known);
      return;
    }
    if (this.#stop.signal.aborted) return;
    this.#options.send({ type: 'ack', payload: { commandId } });
    if (this.#running.has(commandId)) return;
    const running: Running = { command, cancel: new AbortController() };
    this.#running.set(commandId, running);
    const before = this.#sessions.get(sessionId) ?? Promise.resolve();
    const tail = before.then(() => this.#run(running));
    this.#sessions.set(sessionId, tail);
    void tail.then(() => {
      if (this.#sessions.get(sessionId) === tail) this.#sessions.delete(sessionId);
    });
  }

  cancel(commandId: string, reason: string): void {
    this.#running.get(commandId)?.cancel.abort(new PlatformError('cancelled', reason));
  }

  /** The control plane has the result. It stays remembered, in case the command comes again. */
  reported(commandId: string): void {
    this.#unreported.delete(commandId);
  }

  /** What the control plane has to know when a new connection begins. */
  snapshot(): Pick<AgentPayloads['hello'], 'running' | 'finished'> {
    const finished: AgentPayloads['hello']['finished'] = { completed: [], failed: [] };
    for (const id of this.#unreported) {
      const result = this.#finished.get(id);
      if (result?.type === 'complete') finished.completed.push(result.payload);
      else if (result) finished.failed.push(result.payload);
    }
    return { running: [...this.#running.keys()], finished };
  }

  /** Sends again what the control plane has not said to have, but for `except`, which it was told another way. */
  resend(except: ReadonlySet<string> = new Set()): void {
    for (const id of this.#unreported) {
      const result = this.#finished.get(id);
      if (result && !except.has(id)) this.#options.send(result);
    }
  }

  /** Resolves when nothing is being carried out. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#sessions.values());
  }

  /** Aborts what is being carried out. It stays without a result: whoever acts next is handed it again. */
  abort(reason: Error): void {
    this.#stop.abort(reason);
  }

  async #run({ command, cancel }: Running): Promise<void> {
    const timeout = new AbortController();
    const timer = setTimeout(
      () =>
        timeout.abort(
          new PlatformError('timeout', `${command.action} took longer than ${command.timeoutMs} ms`),
        ),
      Math.min(command.timeoutMs, 2 ** 31 - 1),
    );
    let result: Result;
    try {
      const signal = AbortSignal.any([cancel.signal, timeout.signal, this.#stop.signal]);
      signal.throwIfAborted();
      this.#options.onStarted?.(command);
      const outcome = await carryOut(this.#options.platform, command, signal);
      result = { type: 'complete', payload: { commandId: command.commandId, result: outcome } };
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      result = { type: 'failed', payload: { commandId: command.commandId, ...describeFailure(error) } };
    } finally {
      clearTimeout(timer);
      this.#running.delete(command.commandId);
    }
    result = portable(result);
    this.#remember(command.commandId, result);
    this.#options.onFinished?.(command, result);
    this.#options.send(result);
  }

  #remember(commandId: string, result: Result): void {
    this.#finished.set(commandId, result);
    this.#unreported.add(commandId);
    if (this.#finished.size <= REMEMBERED_RESULTS) return;
    const [oldest] = this.#finished.keys();
    this.#finished.delete(oldest!);
    this.#unreported.delete(oldest!);
  }
}

/**
 * A platform's details may be more than a message can hold. The outcome is what matters: it is reported without them,
 * rather than resent for ever and refused each time.
 */
function portable(result: Result): Result {
  try {
    decodeAgentMessage(encodeMessage(result));
    return result;
  } catch {
    const { commandId } = result.payload;
    if (result.type === 'complete') return { type: 'complete', payload: { commandId } };
    return {
      type: 'failed',
      payload: { commandId, error: 'the failure could not be put into words', code: 'internal' },
    };
  }
}
