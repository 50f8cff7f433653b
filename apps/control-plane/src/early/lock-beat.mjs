import { closeSync, openSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Digits of a beat: the file keeps its size, so that a renewal needs no room on the disk. */
const BEAT_DIGITS = 20;

/**
 * Most of the time between two looks that counts as silence, in ms. A watcher that was suspended, alone or together with
 * the holder, has not watched meanwhile.
 */
const MOST_COUNTED_MS = 1_000;

/**
 * The file that a holder writes every few seconds. The holder's id is in its name, so that a holder that lost the lock
 * finds no file, and cannot renew the lock of the next holder.
 */
export function beatFile(lockFolder, holderId) {
  return join(lockFolder, `beat-${holderId}`);
}

/** The first beat, before the lock is in its place. */
export function createBeat(file) {
  writeFileSync(file, nextBeat(), { mode: 0o600 });
}

/** What the beat is at the moment; undefined where there is none. Opened each time: NFS shows the present content only then. */
export function readBeat(file) {
  try {
    return readFileSync(file, 'latin1');
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/**
 * Takes the beat away from a lock that was moved, and returns the last one. Without the file, an NFS client that has
 * cached its name finds out that the lock is lost.
 */
export function removeBeat(file) {
  const last = readBeat(file);
  rmSync(file, { force: true });
  return last;
}

/**
 * Writes the next beat. `lost`: the file is gone, so that the lock is not this holder's any more. `failed`: the file
 * cannot be written, for example on a full disk, or cannot be reached at the moment; that says nothing about the lock.
 */
export function renewBeat(file) {
  let outcome = 'renewed';
  try {
    const handle = openSync(file, 'r+');
    try {
      writeSync(handle, nextBeat(), 0);
    } finally {
      closeSync(handle);
    }
  } catch {
    outcome = 'failed';
  }
  try {
    // One that was moved away between the opening and the writing was not renewed.
    statSync(file);
    return outcome;
  } catch (error) {
    return isGone(error) ? 'lost' : 'failed';
  }
}

/** Whether an error says that there is no such file, and not that it cannot be reached (EACCES, EIO, ESTALE, ENOTCONN…). */
const isGone = (error) => error.code === 'ENOENT' || error.code === 'ENOTDIR';

/** Differs from each earlier one of this process. It is compared for equality only: no clock is compared with another machine's. */
function nextBeat() {
  return String(process.hrtime.bigint()).padStart(BEAT_DIGITS, '0');
}

/**
 * Watches the beat of a holder whose process cannot be seen from here.
 *
 * States: silent (watched for less than the lease, no beat yet) → alive (a beat) or dead (none for the lease, by this
 * process's own monotonic clock); alive → dead. Another holder's beat is watched from the start.
 */
export class BeatWatch {
  #id;
  #beat;
  #silentMs = 0;
  #lookedAt = 0;
  /** When a beat was seen last, for people: RFC 3339. */
  lastSeen;

  look({ id, leaseMs }, beat, now = performance.now()) {
    const passedMs = Math.min(now - this.#lookedAt, MOST_COUNTED_MS);
    this.#lookedAt = now;
    if (id !== this.#id) {
      this.#id = id;
      this.#beat = beat;
      this.#silentMs = 0;
      this.lastSeen = undefined;
    } else if (beat !== this.#beat) {
      this.#beat = beat;
      this.#silentMs = 0;
      this.lastSeen = new Date().toISOString();
    } else this.#silentMs += passedMs;
    if (this.#silentMs >= leaseMs) return 'dead';
    return this.lastSeen === undefined ? 'silent' : 'alive';
  }

  /** Whether this is the beat that was seen last. */
  saw(beat) {
    return beat === this.#beat;
  }
}
