import { getSystemErrorMap } from 'node:util';
import { describeError } from './log.js';

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

/** As much of an error of the database's as a line has room for. */
const SHOWN_CHARS = 300;
/** How many causes of an error are looked at. */
const MOST_CAUSES = 8;

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

/** Says that the database in a folder cannot be opened, why, and what to do. */
export function databaseNotOpened(folder: string, error: unknown): string {
  const host = hostFailure(error);
  if (host !== undefined) return `the database in ${folder} cannot be opened: ${host}`;
  const why = describeError(error).split('\n')[0]!.slice(0, SHOWN_CHARS);
  return `the database in ${folder} cannot be opened; restore that folder from a backup, or move it away to start with an empty database (${why})`;
}

/**
 * Words and remedy for a failure of the disk or the file system, which leaves the files in it as they are; `undefined`
 * for every other error. Looks at the causes, too.
 */
export function hostFailure(error: unknown): string | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < MOST_CAUSES; at = at.cause, depth++) {
    const code = codeOf(at);
    const remedy = code === undefined ? undefined : REMEDIES[code];
    if (code !== undefined && remedy !== undefined) return `${inWords(code)} (${code}); ${remedy}`;
  }
  return undefined;
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
