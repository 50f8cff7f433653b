import { rename, writeFile } from 'node:fs/promises';

/** How long changes are gathered before they are written, in ms. */
export const SAVE_DELAY_MS = 150;

/**
 * A file that follows something in memory. Each version is written beside it and renamed over it, so that whoever
 * reads it finds a whole one, before or after.
 *
 * States: clean → waiting (a change, and a timer) → writing → clean, or waiting again where it changed meanwhile.
 * One write runs at a time. A write that fails is reported and left; the next change tries again.
 */
export class KeptFile {
  readonly #path: string;
  readonly #contents: () => Promise<Uint8Array> | Uint8Array;
  readonly #onError: (error: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #changed = false;
  #writing: Promise<void> | undefined;

  /** @param contents called for each version, at the moment of writing */
  constructor(
    path: string,
    contents: () => Promise<Uint8Array> | Uint8Array,
    onError: (error: unknown) => void,
  ) {
    this.#path = path;
    this.#contents = contents;
    this.#onError = onError;
  }

  /** What the file follows is another now; it is written {@link SAVE_DELAY_MS} from here, or from the write before. */
  touch(): void {
    this.#changed = true;
    if (!this.#writing) this.#timer ??= setTimeout(() => void this.#save(), SAVE_DELAY_MS);
  }

  /** Writes what has changed at once, if anything, and resolves when the file is up to date. Never rejects. */
  async flush(): Promise<void> {
    while (this.#changed || this.#writing) await this.#save();
  }

  async #save(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
      if (this.#changed) this.touch();
    });
    await this.#writing;
  }

  async #write(): Promise<void> {
    this.#changed = false;
    const part = `${this.#path}.part`;
    try {
      await writeFile(part, await this.#contents(), { mode: 0o600, flush: true });
      await rename(part, this.#path);
    } catch (error) {
      this.#onError(error);
    }
  }
}
