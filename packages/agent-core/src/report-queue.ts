import type { AgentMessage } from '@streamspace/protocol';

/** What the control plane is told of sessions and no command asked for. */
export type SessionReport = Extract<AgentMessage, { type: 'status' | 'session_event' }>;

/** Reports that wait. Past it the oldest is dropped, and counted. */
const HELD_REPORTS = 10_000;
/**
 * Reports that are sent at once, and how many more in each period: the control plane writes each of them down, and closes
 * a connection that brings them much faster than that.
 */
const BURST = 128;
const PER_PERIOD = 10;
const PERIOD_MS = 100;

export interface ReportQueueOptions {
  /** Returns whether there was a connection to send over. */
  readonly send: (report: SessionReport) => boolean;
  readonly onDropped: () => void;
}

/**
 * Reports on their way out, in order and at a bounded rate; they wait while there is no connection. They are not
 * acknowledged, so that one which is under way when a connection breaks is lost; the inventory has the state itself.
 */
export class ReportQueue implements Disposable {
  readonly #held: SessionReport[] = [];
  readonly #options: ReportQueueOptions;
  /** How many may be sent now. */
  #allowance = BURST;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(options: ReportQueueOptions) {
    this.#options = options;
  }

  add(report: SessionReport): void {
    this.#held.push(report);
    this.flush();
    if (this.#held.length <= HELD_REPORTS) return;
    this.#held.shift();
    this.#options.onDropped();
  }

  /** Sends what may be sent. To be called when there is a connection again. */
  flush(): void {
    if (this.#closed) return;
    while (this.#allowance > 0 && this.#held.length > 0 && this.#options.send(this.#held[0]!)) {
      this.#held.shift();
      this.#allowance -= 1;
    }
    if (this.#allowance < BURST) this.#timer ??= setTimeout(() => this.#refill(), PERIOD_MS);
  }

  #refill(): void {
    this.#timer = undefined;
    this.#allowance = Math.min(BURST, this.#allowance + PER_PERIOD);
    this.flush();
  }

  /** Nothing is sent from here on. */
  [Symbol.dispose](): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}
