import { getSystemErrorMap } from 'node:util';

/** The first thing that ended this process without a request to stop, in one sentence for the person who runs it. */
export class Failure {
  #sentence: string | undefined;
  readonly #happened = new AbortController();

  /** Aborts when there is a failure. */
  get signal(): AbortSignal {
    return this.#happened.signal;
  }

  get sentence(): string | undefined {
    return this.#sentence;
  }

  /** Without effect after the first call. */
  readonly report = (sentence: string): void => {
    this.#sentence ??= sentence;
    this.#happened.abort();
  };
}

const REMEDIES: Readonly<Record<string, string>> = {
  ENOSPC: 'free space there, then start again',
  EDQUOT: 'raise the quota or free space there, then start again',
  EROFS:
    'make that file system writable (the kernel makes it read-only when the disk fails: see its log), then start again',
  EIO: 'check the disk and the kernel log, then start again, from a backup if the disk is damaged',
};
const OTHER_REMEDY = 'start again; if this repeats, restore that folder from a backup';

/** Says that the database in a folder has stopped, why, and what to do. */
export function databaseStopped(folder: string, error: Error): string {
  const code = codeOf(error.cause);
  const why = code === undefined ? error.message.split('\n')[0] : `${inWords(code)} (${code})`;
  const remedy = (code !== undefined && REMEDIES[code]) || OTHER_REMEDY;
  return `The database in ${folder} has stopped: ${why}. Acknowledged changes are on disk; ${remedy}.`;
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}

/** The operating system's own words for one of its codes, for example `no space left on device`. */
function inWords(code: string): string {
  for (const [name, words] of getSystemErrorMap().values()) if (name === code) return words;
  return 'an error of its files';
}
