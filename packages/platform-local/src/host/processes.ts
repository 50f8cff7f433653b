import { readdir, readFile, readlink } from 'node:fs/promises';
import { kill } from 'node:process';

/** In the environment of every process of a session: which data folder's platform, and which of its sessions. */
export const PLATFORM_VARIABLE = 'STREAMSPACE_PLATFORM_ID';
export const SESSION_VARIABLE = 'STREAMSPACE_SESSION_ID';

/** Processes that are read at a time. */
const READ_AT_ONCE = 32;

/** A process, told apart from a later one that was given the same number. */
export interface ProcessId {
  readonly pid: number;
  /** When it was started, in clock ticks since the machine was: field 22 of `/proc/<pid>/stat`. */
  readonly startedAt: number;
}

/** A process as everybody may see it, and its mark where that can be read. */
export interface ProcessEntry extends ProcessId {
  readonly parent: number;
  /** The process group's number; the leader's. */
  readonly group: number;
  /** The session's number, in the kernel's sense; the leader's. */
  readonly session: number;
  /** It has ended, and its parent has not asked how. */
  readonly isZombie: boolean;
  /** The session whose mark it carries. */
  readonly marked?: string;
}

/** All processes of a moment. */
export interface ProcessLook {
  readonly processes: readonly ProcessEntry[];
  /** `false` where one ended before it was read: what it started meanwhile may not have been seen. */
  readonly isComplete: boolean;
}

/** One process, where it is there and is no zombie. */
export async function identify(pid: number): Promise<ProcessId | undefined> {
  const entry = await readStat(pid);
  return entry && !entry.isZombie ? { pid, startedAt: entry.startedAt } : undefined;
}

export async function isAlive({ pid, startedAt }: ProcessId): Promise<boolean> {
  return (await identify(pid))?.startedAt === startedAt;
}

/**
 * What numbers of processes are good for: until the machine is started again, and within one PID namespace. `undefined`
 * where the kernel does not say.
 */
export async function processEpoch(): Promise<string | undefined> {
  const [boot, namespace] = await Promise.all([
    readFile('/proc/sys/kernel/random/boot_id', 'latin1').catch(() => undefined),
    readlink('/proc/self/ns/pid').catch(() => undefined),
  ]);
  return boot && namespace ? `${boot.trim()} ${namespace}` : undefined;
}

/**
 * Looks at all processes. The mark of one that has wiped its environment, does not let it be read, or belongs to
 * another user, is not seen.
 */
export async function lookAtProcesses(platformId: string): Promise<ProcessLook> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const processes: ProcessEntry[] = [];
  for (let from = 0; from < pids.length; from += READ_AT_ONCE) {
    const some = pids.slice(from, from + READ_AT_ONCE).map((pid) => readEntry(pid, platformId));
    for (const entry of await Promise.all(some)) if (entry) processes.push(entry);
  }
  return { processes, isComplete: processes.length === pids.length };
}

/** Whether a process carries these marks. */
export async function belongsTo(id: ProcessId, platformId: string, sessionId: string): Promise<boolean> {
  const entry = await readEntry(id.pid, platformId);
  return entry?.marked === sessionId && entry.startedAt === id.startedAt;
}

async function readEntry(pid: number, platformId: string): Promise<ProcessEntry | undefined> {
  const text = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
  // Read last: a process that was there before and is gone now is noticed.
  const entry = await readStat(pid);
  if (!entry || !text.includes(`${PLATFORM_VARIABLE}=${platformId}`)) return entry;
  const variables = text.split('\0');
  const session = variables.find((variable) => variable.startsWith(`${SESSION_VARIABLE}=`));
  if (!session || !variables.includes(`${PLATFORM_VARIABLE}=${platformId}`)) return entry;
  return { ...entry, marked: session.slice(SESSION_VARIABLE.length + 1) };
}

async function readStat(pid: number): Promise<ProcessEntry | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined);
  // The name in parentheses may hold anything, so the fields are counted from its end: the state is the third.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (!fields) return undefined;
  const [parent = 0, group = 0, session = 0] = fields.slice(1, 4).map(Number);
  const isZombie = fields[0] === 'Z' || fields[0] === 'X';
  return { pid, startedAt: Number(fields[19]), parent, group, session, isZombie };
}

/**
 * Sends a signal to a process that is still the same one. Resolves with `false` where it is another user's, and not
 * ours to end.
 */
export async function signalProcess(id: ProcessId, signal: 'SIGTERM' | 'SIGKILL'): Promise<boolean> {
  return !(await isAlive(id)) || send(id.pid, signal) !== 'refused';
}

/** Kills a process group as one: none of it can fork meanwhile. Answers whether there was anyone, zombies included. */
export function killGroup(group: number): boolean {
  // 0 is this process's own group, and 1 would become everybody.
  return group > 1 && send(-group, 'SIGKILL') === 'sent';
}

function send(target: number, signal: 'SIGTERM' | 'SIGKILL'): 'sent' | 'refused' | 'nobody' {
  try {
    kill(target, signal);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EPERM') return 'refused';
    if (code !== 'ESRCH') throw error;
    return 'nobody';
  }
  return 'sent';
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
