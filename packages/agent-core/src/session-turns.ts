import { PlatformError } from './errors.js';
import { unlessAborted } from './wait.js';

/** Calls that may wait for one session. Past it a call rejects with `platform_unavailable`, to be tried again. */
const MAX_WAITING_PER_SESSION = 1_000;

/** Lets the changes to one session follow each other, while those to others run beside them. */
export interface SessionTurns {
  /**
   * Calls `work` when every earlier turn of the session is over.
   *
   * @throws the signal's reason where it aborts before `work` was called; otherwise what `work` throws
   */
  run<Result>(sessionId: string, signal: AbortSignal, work: () => Promise<Result>): Promise<Result>;
}

export function sessionTurns(): SessionTurns {
  const queues = new Map<string, { over: Promise<unknown>; length: number }>();
  return {
    async run(sessionId, signal, work) {
      signal.throwIfAborted();
      const queue = queues.get(sessionId) ?? { over: Promise.resolve(), length: 0 };
      if (queue.length >= MAX_WAITING_PER_SESSION)
        throw new PlatformError(
          'platform_unavailable',
          `${queue.length} calls wait for session ${sessionId}; no more are allowed`,
          true,
        );
      const before = queue.length > 0 ? queue.over : undefined;
      const turn = (async () => {
        if (before) await unlessAborted(before, signal);
        return work();
      })();
      // Who gave up waiting must not let the next one overtake what still runs.
      queue.over = Promise.allSettled([before, turn]);
      queue.length += 1;
      queues.set(sessionId, queue);
      try {
        return await turn;
      } finally {
        queue.length -= 1;
        if (queue.length === 0) queues.delete(sessionId);
      }
    },
  };
}
