import { CLOSED, endingOf, type Ending, type ViewerStatus } from './status.js';
import type { RetryLimits } from './options.js';

/** A connection that shows a desktop. */
export interface Connection {
  /** Settles when it is over; never rejects. */
  readonly ended: Promise<Ending>;
  /** Ends it and settles when its socket is down. Idempotent. */
  close(): Promise<void>;
}

/** Makes one connection. Settles when there is a picture, or rejects with an {@link Ending} or an error. */
export type Dial = (signal: AbortSignal) => Promise<Connection>;

/** A connection that lived this long, in milliseconds, makes the next loss a new one: attempts are counted from 1. */
const STABLE_AFTER_MS = 5_000;

/**
 * Keeps one connection up. Knows nothing of the page.
 *
 * States are those of {@link ViewerStatus}. One loop walks them: dial; while connected wait for the end; an ending that
 * says `shouldRetry`, and is not one too many, leads to a random wait (full jitter, doubled each time) and the next
 * dial; any other to `disconnected`, where the loop rests until `reconnect()` or `revive()`. `close()` ends the loop from anywhere.
 */
export class Supervisor {
  #status: ViewerStatus = { state: 'connecting' };
  readonly #dial: Dial;
  readonly #limits: RetryLimits;
  readonly #onStatus: (status: ViewerStatus) => void;
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;
  #closing: Promise<void> | undefined;
  /** Ends the present wait or rest early. */
  #wake: () => void = () => undefined;

  constructor(dial: Dial, limits: RetryLimits, onStatus: (status: ViewerStatus) => void) {
    this.#dial = dial;
    this.#limits = limits;
    this.#onStatus = onStatus;
    // In a microtask, so that whoever creates a viewer holds it before the first report.
    this.#loop = Promise.resolve().then(() => this.#run());
  }

  get status(): ViewerStatus {
    return this.#status;
  }

  /** Tries again now: out of `disconnected`, or without the rest of a wait. Otherwise does nothing. */
  reconnect(): void {
    this.#wake();
  }

  /** Something got better that may have been the trouble: tries again now, unless what happened rules that out. */
  revive(): void {
    if (this.#status.state === 'disconnected' && !this.#status.shouldRetry) return;
    this.#wake();
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      this.#stop.abort();
      this.#wake();
      await this.#loop;
    })();
    return this.#closing;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    let attempt = 0;
    let hadPicture = false;
    if (!signal.aborted) this.#set({ state: 'connecting' });
    while (!signal.aborted) {
      const { ending, livedMs } = await this.#connectOnce();
      if (signal.aborted) break;
      hadPicture ||= livedMs !== undefined;
      attempt = livedMs !== undefined && livedMs >= STABLE_AFTER_MS ? 1 : attempt + 1;
      const allowed = hadPicture ? this.#limits.reconnectAttempts : this.#limits.connectAttempts - 1;
      if (ending.shouldRetry && attempt <= allowed) {
        const delayMs = this.#delay(attempt);
        const { reason } = ending;
        this.#set(
          hadPicture ? { state: 'reconnecting', attempt, delayMs, reason } : { state: 'connecting', reason },
        );
        await this.#wait(delayMs);
        continue;
      }
      this.#set({ state: 'disconnected', ...ending });
      await this.#wait(undefined);
      if (signal.aborted) break;
      attempt = 0;
      hadPicture = false;
      this.#set({ state: 'connecting' });
    }
    this.#set({ state: 'disconnected', ...CLOSED });
  }

  /** One connection from dial to end; `livedMs` only where there was a picture. */
  async #connectOnce(): Promise<{ ending: Ending; livedMs?: number }> {
    const { signal } = this.#stop;
    let connection: Connection;
    try {
      connection = await this.#dial(signal);
    } catch (error) {
      return { ending: endingOf(error) };
    }
    const since = performance.now();
    const onAbort = (): void => void connection.close();
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    else this.#set({ state: 'connected' });
    const ending = await connection.ended;
    signal.removeEventListener('abort', onAbort);
    await connection.close();
    return { ending, livedMs: performance.now() - since };
  }

  #delay(attempt: number): number {
    const { minDelayMs, maxDelayMs } = this.#limits;
    const ceiling = Math.min(maxDelayMs, minDelayMs * 2 ** (attempt - 1));
    return Math.round(ceiling / 2 + (Math.random() * ceiling) / 2);
  }

  /** Waits that long, or without an end, until it is woken or closed. */
  async #wait(delayMs: number | undefined): Promise<void> {
    if (this.#stop.signal.aborted) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (delayMs !== undefined) timer = setTimeout(resolve, delayMs);
    });
    clearTimeout(timer);
    this.#wake = () => undefined;
  }

  #set(status: ViewerStatus): void {
    this.#status = status;
    this.#onStatus(status);
  }
}
