import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beatFile, BeatWatch, createBeat, readBeat, removeBeat } from './lock-beat.mjs';
import { judgeProcess, parseHolder, thisProcess } from './lock-holder.mjs';
import { HeldLock, newBeat } from './held-lock.mjs';

export { LockLostError } from './held-lock.mjs';

/** How often a held lock is looked at again, in ms: one whose holder's process is seen, and one whose beat is watched. */
const POLL_MS = 50;
const WATCH_POLL_MS = 200;
/** Looks in a row that find no owner and do not get the lock either. Past it the folder is no lock. */
const MOST_VANISHED = 20;
/** How long the remains of a lock that was taken over are kept, in ms: longer than anyone takes to act on reading it. */
const REMAINS_MS = 60_000;
/** Remains of one holder that are kept at a time: each backup of a lock that is restored adds one. */
const MOST_REMAINS = 20;

/**
 * How long a holder whose process cannot be seen may be silent, in ms, before it counts as dead.
 *
 * It beats seven times in that, from a separate thread, so that only a process that is stopped as a whole, or whose
 * file system does not answer, misses all of them. A holder that has not beaten for a third of it makes sure that it
 * holds the lock before it goes on.
 */
const LEASE_MS = 15_000;
const BEATS_PER_LEASE = 7.5;
const FRESH_PER_LEASE = 1 / 3;

/**
 * A lock that is a folder with `owner.json` and the holder's beat in it.
 *
 * free → held → free, or held → (its holder dies) → held by the next. Each step is one `rename`, which the kernel
 * refuses when the target holds anything: a lock appears together with its owner's name, and of several processes that
 * find the same dead holder exactly one can move it to the name made from that holder (see `moveAway`).
 *
 * A holder is dead when its process is seen to be gone (see `judgeProcess`), or else when it is silent for its lease.
 */
export async function takeLockFolder(path, { waitMs, signal, onWait, leaseMs = LEASE_MS }) {
  const owner = thisProcess(leaseMs);
  const until = performance.now() + waitMs;
  const watch = new BeatWatch();
  let told = false;
  let vanished = 0;
  mkdirSync(dirname(path), { recursive: true });
  for (;;) {
    signal?.throwIfAborted();
    const beat = place(path, owner);
    if (beat) {
      clearRemains(path);
      return hold(path, owner, beat);
    }
    const holder = readLockFolder(path);
    if (holder === undefined) {
      // Released in this moment, as a rule.
      if (++vanished > MOST_VANISHED) throw notALock(path, 'a folder without owner.json');
      await sleep(POLL_MS, undefined, signal ? { signal } : undefined);
      continue;
    }
    vanished = 0;
    const seen = judgeProcess(holder);
    const isWatched = seen === 'unseen' && holder.leaseMs !== undefined;
    const state = isWatched ? watch.look(holder, readBeat(beatFile(path, holder.id))) : seen;
    if (state === 'dead') {
      const outcome = bury(path, holder, isWatched ? watch : undefined);
      // It came back at the very last moment and may act on that beat until it is stale.
      const freshMs = outcome === 'has beaten' ? holder.leaseMs * FRESH_PER_LEASE : 0;
      // Each turn of this loop waits, so that signals and timers of this process are served.
      await sleep(outcome === 'kept' ? POLL_MS : freshMs, undefined, signal ? { signal } : undefined);
      continue;
    }
    if (state !== 'silent' && performance.now() >= until) {
      const lastSeen = state === 'unseen' ? undefined : (watch.lastSeen ?? new Date().toISOString());
      throw new LockHeldError(path, holder, lastSeen, seen === 'alive');
    }
    if (!told) onWait?.(holder);
    told = true;
    await sleep(isWatched ? WATCH_POLL_MS : POLL_MS, undefined, signal ? { signal } : undefined);
  }
}

/** The lock is held by a process that lives, or by one of an earlier version that cannot be judged from here. */
export class LockHeldError extends Error {
  constructor(path, holder, lastSeen, isSeenHere) {
    const who =
      `pid ${holder.pid} on ${holder.host} since ${holder.since}, ` +
      `last seen alive ${lastSeen ?? 'at an unknown time (an earlier version wrote the lock)'}`;
    const undo = isSeenHere
      ? 'stop that process'
      : `stop that process, or, if that machine or container no longer runs it, delete ${path}`;
    super(`${path} is held by ${who}; ${undo}`);
    this.name = 'LockHeldError';
    this.code = 'lock_held';
    this.holder = holder;
    this.who = who;
    this.undo = undo;
  }
}

/** Who holds the lock; undefined when nobody does. A lock that cannot be understood counts as a dead holder's. */
export function readLockFolder(path) {
  let text;
  try {
    text = readFileSync(join(path, 'owner.json'), 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
  // A machine that lost power may leave an empty file.
  return parseHolder(text) ?? { pid: 0, host: hostname(), since: 'unknown', id: `unreadable-${inode(path)}` };
}

function inode(path) {
  return statSync(path, { throwIfNoEntry: false })?.ino ?? 0;
}

/** Puts a lock of this owner in place; undefined when there is one already. */
function place(path, owner) {
  const draft = `${path}.draft-${owner.id}`;
  const beat = newBeat(path, owner);
  mkdirSync(draft, { mode: 0o700 });
  let placed = false;
  try {
    writeFileSync(join(draft, 'owner.json'), `${JSON.stringify(owner)}\n`, { mode: 0o600 });
    createBeat(beatFile(draft, owner.id));
    placed = moved(draft, path);
  } catch (error) {
    if (error.code !== 'ENOTDIR') throw error;
    throw notALock(path, 'a file');
  } finally {
    if (!placed) rmSync(draft, { recursive: true, force: true });
  }
  return placed ? beat : undefined;
}

function hold(path, owner, beat) {
  const release = () => releaseFolder(path, owner);
  const { leaseMs } = owner;
  try {
    const times = { beatMs: leaseMs / BEATS_PER_LEASE, freshMs: leaseMs * FRESH_PER_LEASE };
    return new HeldLock(path, owner, { beat, ...times, release });
  } catch (error) {
    release();
    throw error;
  }
}

function notALock(path, what) {
  return unusable(`${path} is ${what} and no lock; delete it`);
}

function unusable(message) {
  return Object.assign(new Error(message), { code: 'lock_is_a_file' });
}

/**
 * Moves a dead holder's lock away. `kept`: it is not moved, and is looked at again. `has beaten`: it is moved, and the
 * holder has beaten since the watch looked last.
 */
function bury(path, holder, watch) {
  const remains = moveAway(path, holder.id);
  if (remains === undefined) return 'kept';
  if (readLockFolder(remains)?.id !== holder.id) {
    // This process was suspended since it read the holder, and the lock is another's by now.
    moved(remains, path);
    return 'kept';
  }
  const last = removeBeat(beatFile(remains, holder.id));
  return watch === undefined || watch.saw(last) ? 'moved' : 'has beaten';
}

function releaseFolder(path, owner) {
  if (readLockFolder(path)?.id !== owner.id) return;
  const remains = moveAway(path, owner.id);
  if (remains !== undefined) rmSync(remains, { recursive: true, force: true });
}

/**
 * Moves the lock of this holder to the first free name for its remains; returns that name, or undefined when another
 * process moved the lock.
 *
 * Remains of the same holder are there already when a backup of its lock was restored. The next name is tried only
 * while the lock is still this holder's: a process that comes late finds the name that was used, and every name before
 * it, in use, and cannot move the next holder's lock.
 */
function moveAway(path, id) {
  const first = `${path}.dead-${id}`;
  for (let number = 0; number < MOST_REMAINS; number++) {
    const remains = number === 0 ? first : `${first}.${number}`;
    if (moved(path, remains)) return remains;
    if (readLockFolder(path)?.id !== id) return undefined;
    if (!keptLonger(remains)) return undefined;
  }
  throw unusable(
    `${path} cannot be moved away: ${first} and ${MOST_REMAINS - 1} more are in use; delete ${first}*`,
  );
}

/** Starts the time again for which remains are kept; false when they are gone by now. */
function keptLonger(remains) {
  try {
    const now = new Date();
    utimesSync(remains, now, now);
    return true;
  } catch (error) {
    if (error.code === 'ENOENT') return false;
    throw error;
  }
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
