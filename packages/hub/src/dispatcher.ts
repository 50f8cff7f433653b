import { AckTimer } from './ack-timer.js';
import { LOST_AFTER_MS, type Command, type CommandQueue } from './ports.js';

export interface DispatcherOptions {
  agentId: string;
  epoch: number;
  /** Commands that the agent is at since an earlier connection: they are in flight without being sent again. */
  resumed: readonly string[];
  commands: CommandQueue;
  /** Most commands in flight. */
  window: number;
  ackTimeoutMs: number;
  /** Calls back when the command has left this process for the network. */
  send: (command: Command, onFlushed: () => void) => void;
  /** Whether messages of the agent have arrived that are not handled yet: its acknowledgement may be among them. */
  isBehind: () => boolean;
  /** The agent did not acknowledge in time, which was `waitedMs`: the link is of no use any more. */
  onSilence: (commandId: string, waitedMs: number) => void;
  onError: (error: unknown, where: string) => void;
}

/**
 * Sends the commands of one agent over one connection.
 *
 * A command on this connection: claimed → sent → acknowledged → done. It is sent once; what is not done when the
 * connection ends is handed out again by the queue under the next epoch. A claim whose answer was lost is recalled. The
 * order within a session and the rule of one command of a session at a time are the queue's; this side only keeps the
 * window.
 */
export class Dispatcher {
  /** Commands in flight, each with its acknowledgement timer while that is awaited. */
  readonly #inFlight = new Map<string, AckTimer | undefined>();
  readonly #options: DispatcherOptions;
  #pumping = false;
  #again = false;
  #closed = false;
  #expected = false;
  #unsure = false;
  #recalledAt = -Infinity;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    for (const commandId of options.resumed) this.#inFlight.set(commandId, undefined);
  }

  /** A claim failed, and may have handed something out all the same: pumping finds out. */
  get unsure(): boolean {
    return this.#unsure;
  }

  /**
   * Asks the queue for commands until it has none or the window is full. Never rejects.
   *
   * @param expected the queue says that there is something: it may be new, or what an answer of it was lost with, so
   * that is recalled first, at most once in {@link LOST_AFTER_MS}
   */
  async pump(expected = false): Promise<void> {
    if (this.#closed) return;
    this.#expected ||= expected;
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
    const expected = this.#expected;
    this.#expected = false;
    const mayBeLost = expected && performance.now() - this.#recalledAt >= LOST_AFTER_MS;
    if (this.#unsure || mayBeLost) await this.#recall();
    await this.#fill();
  }

  async #fill(): Promise<void> {
    const { window } = this.#options;
    while (!this.#closed && this.#inFlight.size < window) {
      const claimed = await this.#claim(window - this.#inFlight.size);
      if (this.#closed || claimed.length === 0) break;
      for (const command of claimed) this.#send(command);
    }
  }

  async #claim(limit: number): Promise<Command[]> {
    const { agentId, epoch, commands } = this.#options;
    try {
      return await commands.claim(agentId, epoch, limit);
    } catch (error) {
      this.#unsure = true;
      throw error;
    }
  }

  async #recall(): Promise<void> {
    const { agentId, epoch, commands } = this.#options;
    await commands.recall(agentId, epoch, [...this.#inFlight.keys()]);
    this.#recalledAt = performance.now();
    this.#unsure = false;
  }

  #send(command: Command): void {
    const { ackTimeoutMs, isBehind, onSilence, send } = this.#options;
    const timer = new AckTimer({
      ackTimeoutMs,
      isBehind,
      onSilence: (waitedMs) => onSilence(command.commandId, waitedMs),
    });
    this.#inFlight.set(command.commandId, timer);
    send(command, () => timer.flushed());
  }

  acknowledged(commandId: string): void {
    if (!this.#inFlight.has(commandId)) return;
    this.#inFlight.get(commandId)?.stop();
    this.#inFlight.set(commandId, undefined);
  }

  /** The command has an outcome; its place in the window is free. Returns whether it was in flight here. */
  done(commandId: string): boolean {
    this.#inFlight.get(commandId)?.stop();
    return this.#inFlight.delete(commandId);
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#inFlight.values()) timer?.stop();
    this.#inFlight.clear();
  }
}
