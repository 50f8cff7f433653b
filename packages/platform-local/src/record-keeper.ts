import type { RecordStore } from './record-store.js';
import type { SessionRecord } from './session-record.js';

/** How long to wait after a write that failed, in ms; doubled after each further one, up to the longest. */
export const FIRST_RETRY_MS = 500;
export const LONGEST_RETRY_MS = 30_000;
/** Tries after the first, which is about an hour. After the last the record stays as it is until the next change. */
export const MOST_RETRIES = 120;

/**
 * Writes the record of one session. What must not happen without a record is written, or rejects; what has to happen
 * with or without one, as every end, is kept: written as soon as that works.
 *
 * States: clean → behind (a write failed, and a timer) → clean, or still behind after {@link MOST_RETRIES}; removed.
 * One write runs at a time.
 */
export class RecordKeeper {
  readonly #store: RecordStore;
  readonly #onError: (error: unknown, where: string) => void;
  #last: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #retries = 0;
  /** What the disk does not have yet. */
  #pending: SessionRecord | undefined;

  constructor(store: RecordStore, onError: (error: unknown, where: string) => void) {
    this.#store = store;
    this.#onError = onError;
  }

  /** @throws what the store throws */
  async write(record: SessionRecord): Promise<void> {
    const pending = this.#pending;
    this.#forget();
    try {
      await this.#next(() => this.#store.write(record));
    } catch (error) {
      // What could not be written before is still what is true.
      if (pending && !isReplaced(error)) this.#wait(pending);
      throw error;
    }
  }

  /** @throws PlatformError `platform_unavailable` where another platform has taken the folder over, and nothing else */
  async keep(record: SessionRecord): Promise<void> {
    this.#forget();
    await this.#store.checkOwner();
    await this.#next(() => this.#store.write(record)).catch((error: unknown) => this.#behind(record, error));
  }

  /** @throws what the store throws */
  remove(sessionId: string): Promise<void> {
    this.#forget();
    return this.#next(() => this.#store.remove(sessionId));
  }

  /** Tries a last time to write what is not written, and writes no more. Never rejects. */
  async release(): Promise<void> {
    const pending = this.#pending;
    this.#forget();
    if (!pending) return void (await this.#last);
    await this.#next(() => this.#store.write(pending)).catch((error: unknown) => {
      if (!isReplaced(error)) this.#onError(error, `the record of session ${pending.spec.sessionId}`);
    });
  }

  #behind(record: SessionRecord, error: unknown): void {
    this.#onError(error, `the record of session ${record.spec.sessionId}`);
    this.#wait(record);
  }

  #wait(record: SessionRecord): void {
    this.#pending = record;
    if (this.#retries === MOST_RETRIES) return;
    const delay = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#retries);
    this.#timer = setTimeout(() => {
      this.#retries += 1;
      const timer = this.#timer;
      void this.#next(() => this.#store.write(record)).then(
        () => {
          if (timer === this.#timer) this.#forget();
        },
        (again: unknown) => {
          // Otherwise a later change has taken its place, or another platform the folder.
          if (timer !== this.#timer) return;
          if (isReplaced(again)) this.#forget();
          else this.#behind(record, again);
        },
      );
    }, delay);
    this.#timer.unref();
  }

  #forget(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#retries = 0;
    this.#pending = undefined;
  }

  #next<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }
}

function isReplaced(error: unknown): boolean {
  return (error as { code?: unknown }).code === 'platform_unavailable';
}
