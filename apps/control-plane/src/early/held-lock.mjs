import { Worker } from 'node:worker_threads';
import { beatFile } from './lock-beat.mjs';
import { HeldBeat } from './held-beat.mjs';

/**
 * A lock that this process holds and renews.
 *
 * States: held → released, or held → lost, when another process has taken it over or a person has deleted it.
 */
export class HeldLock {
  owner;
  #status = 'held';
  #path;
  #beat;
  #freshMs;
  #worker;
  #release;
  #lost = new AbortController();

  /**
   * @param beat noted at a moment before the lock was placed
   * @param beatMs time between two renewals
   * @param freshMs a renewal that is older says nothing
   */
  constructor(path, owner, { beat, beatMs, freshMs, release }) {
    this.owner = owner;
    this.#path = path;
    this.#beat = beat;
    this.#freshMs = freshMs;
    this.#release = release;
    this.#worker = new Worker(new URL('./lock-beat-worker.mjs', import.meta.url), {
      workerData: { file: beat.file, times: beat.times, beatMs },
      execArgv: [],
    });
    this.#worker.on('message', () => this.#lose('another process took it over, or it was deleted'));
    this.#worker.on('error', (error) => this.#lose(`it cannot be renewed (${error.message})`));
    this.#worker.unref();
  }

  /** Aborts when the lock is lost. */
  get lost() {
    return this.#lost.signal;
  }

  /**
   * Throws when the lock is lost. It renews the lock where that was long ago, for example because this process was
   * stopped: the first call after that finds out.
   */
  assertHeld() {
    if (this.#status === 'held' && this.#beat.ageMs() > this.#freshMs && this.#beat.renew() === 'lost')
      this.#lose('another process took it over, or it was deleted');
    this.#lost.signal.throwIfAborted();
  }

  release() {
    if (this.#status === 'released') return;
    const wasHeld = this.#status === 'held';
    this.#status = 'released';
    void this.#worker.terminate();
    if (wasHeld) this.#release();
  }

  #lose(why) {
    if (this.#status !== 'held') return;
    this.#status = 'lost';
    void this.#worker.terminate();
    this.#lost.abort(new LockLostError(this.#path, this.owner, why));
  }
}

/** The lock was this process's and is not any more. */
export class LockLostError extends Error {
  constructor(path, owner, why) {
    super(`${path} is not held by this process (pid ${owner.pid} on ${owner.host}) any more: ${why}`);
    this.name = 'LockLostError';
    this.code = 'lock_lost';
  }
}

/** The beat of a lock that is about to be placed. */
export function newBeat(path, owner) {
  const beat = new HeldBeat(beatFile(path, owner.id));
  beat.note();
  return beat;
}
