import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

/** How often a held lock is looked at again, in ms. */
const POLL_MS = 50;
/** How long the remains of a lock that was taken over are kept, in ms: longer than anyone takes to act on reading it. */
const REMAINS_MS = 60_000;

/**
 * A lock that is a folder with `owner.json` in it.
 *
 * free → held → free, or held → (its holder dies) → held by the next. Each step is one `rename`, which the kernel
 * refuses when the target holds anything: a lock appears together with its owner's name, and of several processes that
 * find the same dead holder exactly one can move it to the name made from that holder.
 */
export async function takeLockFolder(path, { waitMs, signal, onWait }) {
  const owner = self();
  const until = Date.now() + waitMs;
  let told = false;
  mkdirSync(dirname(path), { recursive: true });
  for (;;) {
    signal?.throwIfAborted();
    if (place(path, owner)) {
      clearRemains(path);
      return { owner, release: () => release(path, owner) };
    }
    const holder = readLockFolder(path);
    if (holder === undefined) continue;
    if (!isAlive(holder)) {
      bury(path, holder);
      continue;
    }
    if (Date.now() >= until) throw new LockHeldError(path, holder);
    if (!told) onWait?.(holder);
    told = true;
    await sleep(POLL_MS, undefined, signal ? { signal } : undefined);
  }
}

/** The lock is held by a process that lives, or that another machine must judge. */
export class LockHeldError extends Error {
  constructor(path, holder) {
    super(
      `${path} is held by pid ${holder.pid} on ${holder.host} since ${holder.since}` +
        (holder.host === hostname() ? '' : ` (if that machine no longer runs it, delete ${path})`),
    );
    this.name = 'LockHeldError';
    this.code = 'lock_held';
    this.holder = holder;
  }
}

/** Who holds the lock; undefined when nobody does. A lock that cannot be read counts as a dead holder's. */
export function readLockFolder(path) {
  let text;
  try {
    text = readFileSync(join(path, 'owner.json'), 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { pid, startTime, host, since, id } = JSON.parse(text);
    if (Number.isInteger(pid) && typeof host === 'string' && typeof id === 'string') {
      return { pid, startTime, host, since, id };
    }
  } catch {
    // Falls through: a machine that lost power may leave an empty file.
  }
  return {
    pid: 0,
    startTime: undefined,
    host: hostname(),
    since: 'unknown',
    id: `unreadable-${inode(path)}`,
  };
}

/** Whether the holder's process exists. That a number was given to another process shows in its start time. */
export function isAlive(holder) {
  if (holder.host !== hostname()) return true;
  if (holder.pid === 0) return false;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if (error.code === 'ESRCH') return false;
  }
  const startTime = startTimeOf(holder.pid);
  return startTime === undefined || holder.startTime === undefined || startTime === holder.startTime;
}

function self() {
  return {
    pid: process.pid,
    startTime: startTimeOf(process.pid),
    host: hostname(),
    since: new Date().toISOString(),
    id: randomUUID(),
  };
}

/** In clock ticks since the machine's boot, with the boot's id; undefined where there is no /proc, 'gone' for a zombie. */
function startTimeOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the command's name in parentheses and may hold spaces: count from behind it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return 'gone';
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${fields[19]}`;
  } catch {
    return undefined;
  }
}

function inode(path) {
  return statSync(path, { throwIfNoEntry: false })?.ino ?? 0;
}

function place(path, owner) {
  const draft = `${path}.draft-${owner.id}`;
  mkdirSync(draft, { mode: 0o700 });
  let placed = false;
  try {
    writeFileSync(join(draft, 'owner.json'), `${JSON.stringify(owner)}\n`);
    placed = moved(draft, path);
  } catch (error) {
    if (error.code !== 'ENOTDIR') throw error;
    throw Object.assign(new Error(`${path} is a file and no lock; delete it`), { code: 'lock_is_a_file' });
  } finally {
    if (!placed) rmSync(draft, { recursive: true, force: true });
  }
  return placed;
}

function bury(path, holder) {
  moved(path, `${path}.dead-${holder.id}`);
}

function release(path, owner) {
  if (readLockFolder(path)?.id !== owner.id) return;
  const remains = `${path}.dead-${owner.id}`;
  if (moved(path, remains)) rmSync(remains, { recursive: true, force: true });
}

function moved(from, to) {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(error.code)) return false;
    throw error;
  }
}

function clearRemains(path) {
  const folder = dirname(path);
  const own = [`${basename(path)}.dead-`, `${basename(path)}.draft-`];
  for (const name of readdirSync(folder)) {
    if (!own.some((prefix) => name.startsWith(prefix))) continue;
    const remains = join(folder, name);
    try {
      if (Date.now() - statSync(remains).ctimeMs > REMAINS_MS)
        rmSync(remains, { recursive: true, force: true });
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
  }
}
