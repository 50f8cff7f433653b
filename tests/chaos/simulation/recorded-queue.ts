import type { Command, CommandQueue, NewCommand } from '@streamspace/hub';
import type { HistoryEvent } from '../history.js';
import { over } from './over.js';

/** A command queue that writes down what becomes durable in it, and when. */
export class RecordedQueue {
  /** The queue to use. */
  readonly queue: CommandQueue;
  readonly #open = new Map<string, NewCommand>();
  readonly #known = new Set<string>();
  readonly #record: (event: HistoryEvent) => void;
  readonly #trace: (line: string) => void;

  constructor(queue: CommandQueue, record: (event: HistoryEvent) => void, trace: (line: string) => void) {
    this.#record = record;
    this.#trace = trace;
    this.queue = over(queue, {
      enqueue: async (given) => {
        const command = await queue.enqueue(given);
        this.#accepted(command);
        // A start that nobody has seen goes with the stop that overtakes it.
        if (given.action === 'stop_session') await this.#look(queue, given.sessionId, 'cancelled');
        return command;
      },
      claim: async (agentId, epoch, limit) => {
        const claimed = await queue.claim(agentId, epoch, limit);
        // The queue may have added a stop by itself.
        for (const command of claimed) this.#accepted(command);
        return claimed;
      },
      finish: async (...args) => {
        const isFirst = await queue.finish(...args);
        const [commandId, , outcome] = args;
        if (isFirst)
          this.#ended(commandId, outcome.state, outcome.state === 'failed' ? outcome.code : undefined);
        return isFirst;
      },
      expire: async (now) => {
        const expired = await queue.expire(now);
        for (const { commandId } of expired) this.#ended(commandId, 'failed', 'deadline_exceeded');
        return expired;
      },
    });
  }

  /** Commands without an outcome. */
  get open(): number {
    return this.#open.size;
  }

  #accepted(command: Command): void {
    const { commandId, sessionId, seq, generation, action, deadline } = command;
    if (this.#known.has(commandId)) return;
    this.#known.add(commandId);
    this.#open.set(commandId, command);
    this.#trace(`accepted ${commandId}, ${action}`);
    this.#record({ kind: 'accepted', commandId, sessionId, seq, generation, action, deadline });
  }

  #ended(commandId: string, state: 'completed' | 'failed', code?: string): void {
    this.#open.delete(commandId);
    this.#trace(`${state} ${commandId} ${code ?? ''}`);
    this.#record({ kind: 'outcome', commandId, state, ...(code && { code }), at: Date.now() });
  }

  async #look(queue: CommandQueue, sessionId: string, code: string): Promise<void> {
    for (const command of [...this.#open.values()].filter((open) => open.sessionId === sessionId)) {
      // To enqueue what is known changes nothing, and says how it is.
      const { state } = await queue.enqueue(command);
      if (state === 'failed') this.#ended(command.commandId, state, code);
    }
  }
}
