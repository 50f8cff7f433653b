import type { AgentMessage } from '@streamspace/protocol';

/** What may wait to be handled, or be handled, of one connection. Past either: {@link InboxOptions.onOverflow}. */
export const BACKLOG = {
  messages: 1_024,
  /** UTF-16 code units of their JSON texts: four of the longest. One message is taken alone, however long. */
  chars: 8 * 1024 * 1024,
} as const;
/** When so many characters were read in a row, streams and pings have their turn before the next message. */
const READ_IN_A_ROW = 128 * 1024;
/**
 * What does not hold up the messages behind it: writing it takes a while, many are written together, and of one command
 * the queue keeps the furthest.
 */
const BESIDE: ReadonlySet<AgentMessage['type']> = new Set(['ack', 'complete', 'failed']);

export interface InboxOptions {
  /** Must not throw. `undefined`: there is nothing to handle. */
  readonly read: (source: string) => AgentMessage | undefined;
  /** Must not reject. */
  readonly handle: (message: AgentMessage) => Promise<void>;
  /** A message did not fit in any more, and none is taken after it. Called once. */
  readonly onOverflow: (detail: string) => void;
}

/**
 * Handles the messages of one connection in their order, each when the one before it has been dealt with. What is said
 * of commands begins in that order too, and is dealt with side by side.
 *
 * A message waits as text and is read when its turn has come: JSON can take many times the memory of its text.
 *
 * open → overflowed
 */
export class Inbox {
  #status: 'open' | 'overflowed' = 'open';
  #messages = 0;
  /** Of these, how many have not had their turn. */
  #unread = 0;
  #chars = 0;
  #readInARow = 0;
  #tail: Promise<void> = Promise.resolve();
  readonly #beside = new Set<Promise<void>>();
  readonly #options: InboxOptions;

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  /** Messages that arrived have not been looked at: what the agent has said may be more than what is known here. */
  get isBehind(): boolean {
    return this.#unread > 0;
  }

  push(source: string): void {
    if (this.#status === 'overflowed') return;
    const excess = this.#excessWith(source);
    if (excess !== undefined) {
      this.#status = 'overflowed';
      this.#options.onOverflow(`more than ${excess} are waiting`);
      return;
    }
    this.#messages += 1;
    this.#unread += 1;
    this.#chars += source.length;
    this.#tail = this.#tail.then(() => this.#turn(source));
  }

  /** Which bound would be passed. */
  #excessWith(source: string): string | undefined {
    if (this.#messages >= BACKLOG.messages) return `${BACKLOG.messages} control messages`;
    if (this.#messages > 0 && this.#chars + source.length > BACKLOG.chars)
      return `${BACKLOG.chars} characters of control messages`;
    return undefined;
  }

  /** Resolves when the next message may begin. */
  async #turn(source: string): Promise<void> {
    const { length } = source;
    if (this.#readInARow >= READ_IN_A_ROW) {
      await new Promise((resolve) => setImmediate(resolve));
      this.#readInARow = 0;
    }
    this.#readInARow += length;
    this.#unread -= 1;
    const message = this.#options.read(source);
    const handled = (message ? this.#options.handle(message) : Promise.resolve()).finally(() => {
      this.#messages -= 1;
      this.#chars -= length;
    });
    if (!message || !BESIDE.has(message.type)) return handled;
    this.#beside.add(handled);
    void handled.then(() => this.#beside.delete(handled));
    return undefined;
  }

  /** Resolves when everything that was pushed has been dealt with. */
  async settled(): Promise<void> {
    await this.#tail;
    await Promise.all(this.#beside);
  }
}
