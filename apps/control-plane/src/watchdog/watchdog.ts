import inspector from 'node:inspector';
import { Worker } from 'node:worker_threads';
import type { FreezeLimits } from './freeze-count.mjs';

/** How often the main thread shows that it runs, in ms. */
const BEAT_MS = 500;
const LIMITS: FreezeLimits = { ticks: 30, tickMs: 1_000, lateMs: 2_000 };

export interface WatchdogOptions {
  /** For tests. @default 30 ticks of 1 s, 2 s late at most */
  readonly limits?: FreezeLimits;
  /** For tests, in ms. @default 500 */
  readonly beatMs?: number;
}

/**
 * Ends this process with SIGKILL when its main thread stands still: such a process answers nothing, SIGTERM neither, while
 * its port is held and its agents take it for alive. A service manager starts another.
 *
 * A watchdog: armed → disposed. It counts ticks of its own thread, so a suspended machine or process is no freeze. It is
 * disposed when an inspector opens: a breakpoint stops the main thread too.
 */
export class Watchdog implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #timer: NodeJS.Timeout;

  private constructor({ limits = LIMITS, beatMs = BEAT_MS }: WatchdogOptions) {
    const beats = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
    const seconds = (limits.ticks * limits.tickMs) / 1_000;
    this.#worker = new Worker(new URL('worker.mjs', import.meta.url), {
      workerData: {
        beats,
        limits,
        sentence:
          `ERROR: The main thread has not run for ${seconds} s; this process (pid ${process.pid}) is killed. ` +
          'Start it again: acknowledged changes are on disk, and running desktops are adopted.',
      },
      // Not those of this process: the worker needs no loader.
      execArgv: [],
    });
    this.#worker.unref();
    this.#timer = setInterval(() => {
      Atomics.add(beats, 0, 1);
      if (inspector.url() !== undefined) void this[Symbol.asyncDispose]();
    }, beatMs);
    this.#timer.unref();
  }

  /** Arms a watchdog; `undefined` under an inspector. */
  static arm(options: WatchdogOptions = {}): Watchdog | undefined {
    return inspector.url() === undefined ? new Watchdog(options) : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#worker.terminate();
  }
}
