import type { Command, CommandQueue } from './ports.js';

export interface DispatcherOptions {
  agentId: string;
  epoch: number;
  /** Commands that the agent is at since an earlier connection: they are in flight without being sent again. */
  resumed: readonly string[];
  commands: CommandQueue;
  /** Most commands in flight. */
  window: number;
  ackTimeoutMs: number;
  send: (command: Command) => void;
  /** The agent did not acknowledge in time: the link is of no use any more. */
  onSilence: (commandId: string) => void;
  onError: (error: unknown, where: string) => void;
}

/**
 * Sends the commands of one agent over one connection.
 *
 * A command on this connection: claimed → sent → acknowledged → done. It is sent once; what is not done when the
 * connection ends is handed out again by the queue under the next epoch. The order within a session and the rule of
 * one command of a session at a time are the queue's; this side only keeps the window.
 */
export class Dispatcher {
  /** Commands in flight, each with its acknowledgement timer while that is awaited. */
  readonly #inFlight = new Map<string, ReturnType<typeof setTimeout> | undefined>();
  readonly #options: DispatcherOptions;
  #pumping = false;
  #again = false;
  #closed = false;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    for (const commandId of options.resumed) this.#inFlight.set(commandId, undefined);
  }

  /** Asks the queue for commands until it has none or the window is full. Never rejects. */
  async pump(): Promise<void> {
    if (this.#closed) return;
    if (this.#pumping) {
      this.#again = true;
      return;
    }
    this.#pumping = true;
    try {
      do {
        this.#again = false;
        await this.#round();
      } while (this.#again && !this.#closed);
    } catch (error) {
      this.#options.onError(error, 'claiming commands');
    } finally {
      this.#pumping = false;
    }
  }

  async #round(): Promise<void> {
    const { agentId, epoch, commands, window } = this.#options;
    while (!this.#closed && this.#inFlight.size < window) {
      const claimed = await commands.claim(agentId, epoch, window - this.#inFlight.size);
      if (this.#closed || claimed.length === 0) return;
      for (const command of claimed) this.#send(command);
    }
  }

  #send(command: Command): void {
    const { ackTimeoutMs, onSilence, send } = this.#options;
    const timer = setTimeout(() => onSilence(command.commandId), ackTimeoutMs);
    timer.unref?.();
    this.#inFlight.set(command.commandId, timer);
    send(command);
  }

  acknowledged(commandId: string): void {
    if (!this.#inFlight.has(commandId)) return;
    clearTimeout(this.#inFlight.get(commandId));
    this.#inFlight.set(commandId, undefined);
  }

  /** The command has an outcome; its place in the window is free. Returns whether it was in flight here. */
  done(commandId: string): boolean {
    clearTimeout(this.#inFlight.get(commandId));
    return this.#inFlight.delete(commandId);
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#inFlight.values()) clearTimeout(timer);
    this.#inFlight.clear();
  }
}
