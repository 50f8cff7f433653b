import { existsSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { connectUnix } from '@streamspace/agent-core';
import { exists } from '../host/processes.js';

/** How long a server's socket may take to answer, in ms. Past it, the server counts as alive. */
const ANSWER_MS = 1_000;
/** What a socket says that no process listens on. */
const NOT_SERVED: ReadonlySet<string | undefined> = new Set(['ECONNREFUSED', 'ENOENT', 'ENOTDIR']);

/** Where every X server of a machine says which displays are taken. */
const FOLDER = '/tmp';
const lockOf = (display: number): string => join(FOLDER, `.X${display}-lock`);
/** Where X clients reach a display. */
export const socketOf = (display: number): string => join(FOLDER, '.X11-unix', `X${display}`);

/** Whether anything says that a display is taken. The X server itself has the last word, by its lock. */
export function looksTaken(display: number): boolean {
  return existsSync(lockOf(display)) || existsSync(socketOf(display));
}

/**
 * Removes what a killed X server left of its display: where the lock names one of `pids`, or a process that is not
 * there. One that is not there may run in another PID namespace that shares this folder: then its socket answers.
 */
export async function removeDisplayFiles(display: number, pids: ReadonlySet<number>): Promise<void> {
  const holder = await holderOf(display);
  if (holder === undefined) return;
  if (!pids.has(holder) && (exists(holder) || (await isServed(display)))) return;
  await rm(socketOf(display), { force: true });
  await rm(lockOf(display), { force: true });
}

/** The same for servers whose displays are not known. */
export async function removeFilesOf(pids: ReadonlySet<number>): Promise<void> {
  for (const name of await readdir(FOLDER)) {
    const display = /^\.X(\d{1,5})-lock$/.exec(name)?.[1];
    if (display === undefined) continue;
    const holder = await holderOf(Number(display));
    if (holder !== undefined && pids.has(holder)) await removeDisplayFiles(Number(display), pids);
  }
}

async function isServed(display: number): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    (await connectUnix({ path: socketOf(display), signal })).abort();
    return true;
  } catch (error) {
    const { code } = ((error as Error).cause ?? error) as NodeJS.ErrnoException;
    return !NOT_SERVED.has(code);
  }
}

async function holderOf(display: number): Promise<number | undefined> {
  const text = await readFile(lockOf(display), 'latin1').catch(() => '');
  return /^ *\d+\n?$/.test(text) ? Number(text) : undefined;
}
