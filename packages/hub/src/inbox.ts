import type { AgentMessage } from '@streamspace/protocol';

/** Messages that may wait to be handled, or be handled. */
const BACKLOG_MESSAGES = 1_024;
/**
 * What does not hold up the messages behind it: writing it takes a while, many are written together, and of one command
 * the queue keeps the furthest.
 */
const BESIDE: ReadonlySet<AgentMessage['type']> = new Set(['ack', 'complete', 'failed']);

export interface InboxOptions {
  /** Must not reject. */
  readonly handle: (message: AgentMessage) => Promise<void>;
  /** A message did not fit in any more. */
  readonly onOverflow: (detail: string) => void;
}

/**
 * Handles the messages of one connection in their order, each when the one before it has been dealt with. What is said
 * of commands begins in that order too, and is dealt with side by side.
 */
export class Inbox {
  #waiting = 0;
  #tail: Promise<void> = Promise.resolve();
  readonly #beside = new Set<Promise<void>>();
  readonly #options: InboxOptions;

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  push(message: AgentMessage): void {
    if (this.#waiting >= BACKLOG_MESSAGES) {
      this.#options.onOverflow(`more than ${BACKLOG_MESSAGES} control messages are waiting`);
      return;
    }
    this.#waiting += 1;
    const handled = this.#tail
      .then(() => this.#options.handle(message))
      .finally(() => void (this.#waiting -= 1));
    if (!BESIDE.has(message.type)) {
      this.#tail = handled;
      return;
    }
    this.#beside.add(handled);
    void handled.then(() => this.#beside.delete(handled));
  }

  /** Resolves when everything that was pushed has been dealt with. */
  async settled(): Promise<void> {
    await Promise.all([this.#tail, ...this.#beside]);
  }
}
