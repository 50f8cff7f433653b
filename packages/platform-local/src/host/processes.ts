import { readdir, readFile } from 'node:fs/promises';
import { kill } from 'node:process';

/** In the environment of every process of a session: which data folder's platform, and which of its sessions. */
export const PLATFORM_VARIABLE = 'STREAMSPACE_PLATFORM_ID';
export const SESSION_VARIABLE = 'STREAMSPACE_SESSION_ID';

/** Processes whose environment is read at a time. */
const READ_AT_ONCE = 32;

/** A process, told apart from a later one that was given the same number. */
export interface ProcessId {
  readonly pid: number;
  /** When it was started, in clock ticks since the machine was: field 22 of `/proc/<pid>/stat`. */
  readonly startedAt: number;
}

/** One process, where it is there and is no zombie. */
export async function identify(pid: number): Promise<ProcessId | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined);
  // The name in parentheses may hold anything, so the fields are counted from its end: the state is the third.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (!fields || fields[0] === 'Z' || fields[0] === 'X') return undefined;
  return { pid, startedAt: Number(fields[19]) };
}

export async function isAlive({ pid, startedAt }: ProcessId): Promise<boolean> {
  return (await identify(pid))?.startedAt === startedAt;
}

/**
 * All living processes that carry a platform's mark, by session. A program that has wiped its own environment is not
 * among them, and neither is one that belongs to another user.
 */
export async function findProcesses(platformId: string): Promise<Map<string, ProcessId[]>> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = new Map<string, ProcessId[]>();
  for (let from = 0; from < pids.length; from += READ_AT_ONCE) {
    const some = pids.slice(from, from + READ_AT_ONCE).map((pid) => readMarks(Number(pid), platformId));
    for (const marked of await Promise.all(some)) {
      if (marked) found.set(marked.sessionId, [...(found.get(marked.sessionId) ?? []), marked.id]);
    }
  }
  return found;
}

/** Those of one session. */
export async function findSession(platformId: string, sessionId: string): Promise<ProcessId[]> {
  return (await findProcesses(platformId)).get(sessionId) ?? [];
}

/** Whether a process carries these marks. */
export async function belongsTo(id: ProcessId, platformId: string, sessionId: string): Promise<boolean> {
  const marked = await readMarks(id.pid, platformId);
  return marked?.sessionId === sessionId && marked.id.startedAt === id.startedAt;
}

async function readMarks(
  pid: number,
  platformId: string,
): Promise<{ sessionId: string; id: ProcessId } | undefined> {
  // Another user's is not ours to read; one that has just ended has none.
  const text = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
  if (!text.includes(`${PLATFORM_VARIABLE}=${platformId}`)) return undefined;
  const variables = text.split('\0');
  if (!variables.includes(`${PLATFORM_VARIABLE}=${platformId}`)) return undefined;
  const session = variables.find((variable) => variable.startsWith(`${SESSION_VARIABLE}=`));
  const id = await identify(pid);
  return session && id ? { sessionId: session.slice(SESSION_VARIABLE.length + 1), id } : undefined;
}

/** Sends a signal to a process that is still the same one. */
export async function signalProcess(id: ProcessId, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (!(await isAlive(id))) return;
  try {
    kill(id.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Whether a process of this number exists, whoever's it is. */
export function exists(pid: number): boolean {
  try {
    kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
