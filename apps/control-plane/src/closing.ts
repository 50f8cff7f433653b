import { describeError, type Log } from './log.js';

/** How long everything together may take to close, in ms. Past it: an error, and the process ends anyway. */
const CLOSE_LIMIT_MS = 5_000;

/**
 * What has to be closed, in the reverse order of opening. open → closing → closed; a second `close` is the first one's.
 */
export class Closing {
  readonly #steps: { what: string; close: () => unknown }[] = [];
  #closed: Promise<boolean> | undefined;

  constructor(readonly log: Log) {}

  add(what: string, close: () => unknown): void {
    this.#steps.push({ what, close });
  }

  /** Resolves with whether all was closed without an error and in time. Never rejects. */
  close(): Promise<boolean> {
    return (this.#closed ??= this.#closeInTime());
  }

  async #closeInTime(): Promise<boolean> {
    let at = 'nothing';
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => {
        this.log.error(`Not closed within ${CLOSE_LIMIT_MS / 1000} s: ${at}`);
        resolve(false);
      }, CLOSE_LIMIT_MS);
    });
    const done = this.#closeEach((what) => (at = what));
    try {
      return await Promise.race([done, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #closeEach(now: (what: string) => void): Promise<boolean> {
    let clean = true;
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) {
      now(step.what);
      try {
        await step.close();
      } catch (error) {
        clean = false;
        this.log.error(`Closing ${step.what}: ${describeError(error)}`);
      }
    }
    return clean;
  }
}
