/** Resolves after `ms`, or as soon as the signal aborts (without rejecting). Leaves no timer behind. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const finish = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal.addEventListener('abort', finish, { once: true });
  });
}

/** How much larger than `first` the bound of the pause is that follows a good connection. */
const AFTER_GOOD = 8;

/**
 * Pauses between attempts with full jitter: each is random between 0 and a bound that doubles from `first` to
 * `longest`. After a connection that was good the bound is larger than `first`: a thousand agents that lose the same
 * replica have all been connected until then, and are not to come back in the same moment.
 */
export class Backoff {
  #bound: number;
  readonly #first: number;
  readonly #longest: number;
  readonly #random: () => number;

  constructor(options: { first: number; longest: number; random?: () => number }) {
    this.#first = options.first;
    this.#longest = options.longest;
    this.#bound = options.first;
    this.#random = options.random ?? Math.random;
  }

  /** The next pause, in ms. */
  next(): number {
    const pauseMs = Math.round(this.#random() * this.#bound);
    this.#bound = Math.min(this.#bound * 2, this.#longest);
    return pauseMs;
  }

  /** The connection that has ended was a good one: the next pause is random below eight times `first`. */
  afterGood(): void {
    this.#bound = Math.min(this.#first * AFTER_GOOD, this.#longest);
  }
}

/**
 * Settles as the promise does, or rejects with the signal's reason as soon as that aborts: what comes of the promise
 * later is nobody's concern then. Leaves no listener behind.
 */
export function unlessAborted<Result>(promise: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    void promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/**
 * Runs something with a bound on its time: the signal that it is given aborts with `late()` after `ms`, or with the outer
 * signal's reason, and so this rejects then, whether what runs heeds the signal or not. Leaves no timer and no listener
 * behind.
 */
export async function withinTime<Result>(
  bound: { ms: number; signal: AbortSignal; late: () => Error },
  run: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  bound.signal.throwIfAborted();
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(bound.signal.reason);
  const timer = setTimeout(() => controller.abort(bound.late()), bound.ms);
  bound.signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await unlessAborted(run(controller.signal), controller.signal);
  } finally {
    clearTimeout(timer);
    bound.signal.removeEventListener('abort', onAbort);
  }
}

/** Resolves with `true` once `done` has settled, with `false` when `ms` pass or the signal aborts first. */
export async function settlesWithin(
  done: Promise<unknown>,
  ms: number,
  signal: AbortSignal = new AbortController().signal,
): Promise<boolean> {
  const over = new AbortController();
  const stop = (): void => over.abort();
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  const settled = done.then(
    () => true,
    () => true,
  );
  const result = await Promise.race([settled, pause(ms, over.signal).then(() => false)]);
  over.abort();
  signal.removeEventListener('abort', stop);
  return result;
}
