/**
 * How long an acknowledgement is waited for at most, in multiples of `ackTimeoutMs`, while this side is behind with what
 * it sends or with what it has received. Past it the connection is closed: a hub that never catches up does not wait for
 * ever.
 */
export const ACK_BACKLOG_LIMIT = 6;

export interface AckTimerOptions {
  readonly ackTimeoutMs: number;
  /** Whether messages of the agent have arrived that are not handled yet: the acknowledgement may be among them. */
  readonly isBehind: () => boolean;
  /** @param waitedMs since the command was sent */
  readonly onSilence: (waitedMs: number) => void;
}

/**
 * Judges whether an agent acknowledges a command in time. Only the time in which nothing of this side is in the way
 * counts against the agent.
 *
 * unsent --flushed--> waiting --time is up and nothing unhandled, or past the limit--> silent
 *     \--past the limit-----------------------------------------------------------> silent
 * stopped, by {@link stop}, from any of these.
 *
 * In `unsent`, and in `waiting` while messages are unhandled, the timer is armed again each time that it fires.
 */
export class AckTimer {
  #status: 'unsent' | 'waiting' | 'silent' | 'stopped' = 'unsent';
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #startedAt = performance.now();
  readonly #options: AckTimerOptions;

  constructor(options: AckTimerOptions) {
    this.#options = options;
    this.#arm();
  }

  /** The command has left this process: the agent's time begins. */
  flushed(): void {
    if (this.#status !== 'unsent') return;
    this.#status = 'waiting';
    this.#arm();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#status = 'stopped';
  }

  #arm(): void {
    clearTimeout(this.#timer);
    // Timers run before sockets are read: after a long turn of the event loop the acknowledgement is in the kernel.
    this.#timer = setTimeout(() => setImmediate(() => this.#fire()), this.#options.ackTimeoutMs);
    this.#timer.unref?.();
  }

  #fire(): void {
    if (this.#status !== 'unsent' && this.#status !== 'waiting') return;
    const { ackTimeoutMs, isBehind, onSilence } = this.#options;
    const waitedMs = performance.now() - this.#startedAt;
    const isOurs = this.#status === 'unsent' || isBehind();
    if (isOurs && waitedMs < ACK_BACKLOG_LIMIT * ackTimeoutMs) {
      this.#arm();
      return;
    }
    this.#status = 'silent';
    onSilence(waitedMs);
  }
}
