import { statfs } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeError, type Log } from './log.js';
import { formatSize } from './size.js';

/** How long a reading is used, in ms. */
const KEPT_MS = 1_000;
/** How long the file system may take to answer, in ms. A network file system that is gone never does. */
const ANSWER_MS = 2_000;

/** Why nothing more may be stored, and what to do. */
export interface Shortage {
  readonly detail: string;
  readonly remedy: string;
}

export interface FreeSpaceOptions {
  /** Folders that may lie on different file systems; the one with the least free space counts. */
  readonly folders: readonly [string, ...string[]];
  /** Least free space, in bytes; 0 is no limit. */
  readonly floorBytes: number;
  readonly log: Pick<Log, 'info' | 'warn'>;
  /** For tests. @default fs.statfs */
  readonly statfs?: (folder: string) => Promise<{ bavail: number; bsize: number }>;
  /** For tests, in ms. @default 2_000 */
  readonly answerMs?: number;
  /** For tests: a clock in ms. @default performance.now */
  readonly now?: () => number;
}

interface Reading {
  readonly at: number;
  readonly result: Promise<Shortage | undefined>;
  isOver: boolean;
}

/**
 * Watches the free space of folders: enough → short → enough; each change is one log line.
 *
 * Below the floor the embedded database must not grow: its log is written in files of 16 MB, and it stops for good when
 * one of them cannot be made. The floor leaves room for several of these and for what is still written below it.
 */
export class FreeSpace {
  readonly #options: FreeSpaceOptions;
  #short = false;
  #unreadable = false;
  #reading: Reading | undefined;

  constructor(options: FreeSpaceOptions) {
    this.#options = options;
  }

  /** Resolves with why nothing more may be stored. Reads the file systems once per second at most. Never rejects. */
  async shortage(): Promise<Shortage | undefined> {
    const { floorBytes, now = () => performance.now() } = this.#options;
    if (floorBytes === 0) return undefined;
    if (!this.#reading || (this.#reading.isOver && now() - this.#reading.at >= KEPT_MS)) {
      const read = this.#read();
      const reading: Reading = { at: now(), isOver: false, result: this.#withLimit(read) };
      void read.then(() => (reading.isOver = true));
      this.#reading = reading;
    }
    // A reading that never ends holds a thread of the process: no second one is begun, and its answer stays "unknown".
    return this.#reading.result;
  }

  async #withLimit(read: Promise<Shortage | undefined>): Promise<Shortage | undefined> {
    const late = new AbortController();
    const limit = sleep(this.#options.answerMs ?? ANSWER_MS, undefined, { signal: late.signal, ref: false });
    try {
      return await Promise.race([read, limit.then(() => this.#unknown('no answer'))]);
    } finally {
      late.abort();
    }
  }

  /** Space that cannot be read does not stop anything. */
  #unknown(why: string): undefined {
    const { folders, log } = this.#options;
    if (!this.#unreadable) log.warn(`Free space of ${folders.join(' and ')} cannot be read: ${why}`);
    this.#unreadable = true;
  }

  async #read(): Promise<Shortage | undefined> {
    const { folders, floorBytes, log, statfs: read = statfs } = this.#options;
    let least: { folder: string; freeBytes: number } | undefined;
    try {
      for (const folder of folders) {
        const { bavail, bsize } = await read(folder);
        const freeBytes = bavail * bsize;
        if (!least || freeBytes < least.freeBytes) least = { folder, freeBytes };
      }
      this.#unreadable = false;
    } catch (error) {
      return this.#unknown(describeError(error));
    }
    const { folder, freeBytes } = least!;
    const short = freeBytes < floorBytes;
    const facts = `${formatSize(freeBytes)} free, MIN_FREE_SPACE is ${formatSize(floorBytes)}`;
    if (short && !this.#short)
      log.warn(`Too little space in ${folder} (${facts}): nothing new is stored until some is freed`);
    if (!short && this.#short) log.info(`Enough space in ${folder} again (${facts})`);
    this.#short = short;
    if (!short) return undefined;
    return {
      detail: `The data folder ${folder} has too little free space (${facts}).`,
      remedy: `Free space in ${folder}, for example by stopping desktops and deleting files, then try again.`,
    };
  }
}
