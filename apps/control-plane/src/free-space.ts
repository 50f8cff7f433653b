import { statfs } from 'node:fs/promises';
import { describeError, type Log } from './log.js';
import { formatSize } from './size.js';

/** How long a reading is used, in ms. */
const KEPT_MS = 1_000;

/** Why nothing more may be stored, and what to do. */
export interface Shortage {
  readonly detail: string;
  readonly remedy: string;
}

export interface FreeSpaceOptions {
  readonly folder: string;
  /** Least free space, in bytes; 0 is no limit. */
  readonly floorBytes: number;
  readonly log: Pick<Log, 'info' | 'warn'>;
  /** For tests. @default fs.statfs */
  readonly statfs?: (folder: string) => Promise<{ bavail: number; bsize: number }>;
  /** For tests: a clock in ms. @default performance.now */
  readonly now?: () => number;
}

/**
 * Watches the free space of a folder: enough → short → enough; each change is one log line.
 *
 * Below the floor the embedded database must not grow: its log is written in files of 16 MB, and it stops for good when
 * one of them cannot be made. The floor leaves room for several of these and for what is still written below it.
 */
export class FreeSpace {
  readonly #options: FreeSpaceOptions;
  #short = false;
  #unreadable = false;
  #reading: { at: number; result: Promise<Shortage | undefined> } | undefined;

  constructor(options: FreeSpaceOptions) {
    this.#options = options;
  }

  /** Resolves with why nothing more may be stored. Reads the file system once per second at most. Never rejects. */
  shortage(): Promise<Shortage | undefined> {
    const { floorBytes, now = () => performance.now() } = this.#options;
    if (floorBytes === 0) return Promise.resolve(undefined);
    if (this.#reading && now() - this.#reading.at < KEPT_MS) return this.#reading.result;
    this.#reading = { at: now(), result: this.#read() };
    return this.#reading.result;
  }

  async #read(): Promise<Shortage | undefined> {
    const { folder, floorBytes, log, statfs: read = statfs } = this.#options;
    let freeBytes: number;
    try {
      const { bavail, bsize } = await read(folder);
      freeBytes = bavail * bsize;
      this.#unreadable = false;
    } catch (error) {
      if (!this.#unreadable) log.warn(`Free space of ${folder} cannot be read: ${describeError(error)}`);
      this.#unreadable = true;
      return undefined;
    }
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
