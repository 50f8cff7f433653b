import { rename, rm, writeFile } from 'node:fs/promises';

/** How long changes are gathered before they are written, in ms. */
export const SAVE_DELAY_MS = 150;
/** How long to wait after a write that failed, in ms; doubled after each further one, up to the longest. */
export const FIRST_RETRY_MS = 500;
export const LONGEST_RETRY_MS = 30_000;

/** Told how each write went. */
export interface KeptFileEvents {
  /** The file does not have what it should; it is tried again, except after the attempt of a flush. */
  failed(error: unknown): void;
  saved(): void;
}

/**
 * A file that follows something in memory. Each version is written beside it and renamed over it, so that whoever
 * reads it finds a whole one, before or after.
 *
 * States: clean → waiting (a change, and a timer) → writing → clean, or waiting again where it changed meanwhile or
 * where the write failed. One write runs at a time. After failures it waits longer and longer, whatever changes
 * meanwhile: see {@link FIRST_RETRY_MS}.
 */
export class KeptFile {
  readonly #path: string;
  readonly #contents: () => Promise<Uint8Array> | Uint8Array;
  readonly #events: KeptFileEvents;
  #timer: NodeJS.Timeout | undefined;
  #changed = false;
  #failures = 0;
  /** Whether the write that runs brings the file up to date. */
  #writing: Promise<boolean> | undefined;

  /** @param contents called for each version, at the moment of writing */
  constructor(path: string, contents: () => Promise<Uint8Array> | Uint8Array, events: KeptFileEvents) {
    this.#path = path;
    this.#contents = contents;
    this.#events = events;
  }

  /** What the file follows is another now; it is written {@link SAVE_DELAY_MS} from here, or from the write before. */
  touch(): void {
    this.#changed = true;
    if (!this.#writing) this.#wait();
  }

  /**
   * Writes what is not written yet at once, if anything. Resolves when the file is up to date, or when an attempt of
   * its own has failed and was reported; nothing is tried after that until the next change. Never rejects.
   */
  async flush(): Promise<void> {
    // What runs may have begun before the last change, or be about to fail: this one's attempt comes after it.
    await this.#writing;
    while (this.#changed && (await this.#save()));
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #wait(): void {
    const delay =
      this.#failures === 0
        ? SAVE_DELAY_MS
        : Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (this.#failures - 1));
    this.#timer ??= setTimeout(() => void this.#save(), delay);
  }

  #save(): Promise<boolean> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
      if (this.#changed) this.#wait();
    });
    return this.#writing;
  }

  async #write(): Promise<boolean> {
    this.#changed = false;
    const part = `${this.#path}.part`;
    try {
      // Made anew: a link or a pipe of this name would lead elsewhere, or nowhere.
      await rm(part, { force: true });
      await writeFile(part, await this.#contents(), { mode: 0o600, flag: 'wx', flush: true });
      await rename(part, this.#path);
    } catch (error) {
      this.#changed = true;
      this.#failures += 1;
      this.#events.failed(error);
      return false;
    }
    this.#failures = 0;
    this.#events.saved();
    return true;
  }
}
