import { setTimeout as sleep } from 'node:timers/promises';

/** How long an agent that has ended by itself rests before it is run again, in ms. */
const PAUSE_MS = 5_000;

export interface KeepRunningOptions {
  readonly key: string;
  /** Makes another key, which is the only one that is valid from then on. */
  newKey(): Promise<string>;
  /** Runs until the signal aborts; rejects with the code `unauthorized` when the key is not valid. */
  run(key: string): Promise<void>;
  readonly signal: AbortSignal;
  /** It has ended by itself, and is run again after the pause. */
  onEnd(error: unknown, pauseMs: number): void;
  /** In ms. @default 5_000 */
  readonly pauseMs?: number;
}

/**
 * Runs an agent until the signal aborts, whatever ends it: without it this process would look healthy and start nothing.
 * A key that the database does not know (it was restored, or somebody made another) is replaced at once; one that was
 * just made and is refused as well waits like every other error. Never rejects.
 */
export async function keepRunning(options: KeepRunningOptions): Promise<void> {
  const { signal, pauseMs = PAUSE_MS } = options;
  let { key } = options;
  let isNew = false;
  while (!signal.aborted) {
    try {
      await options.run(key);
      if (signal.aborted) return;
      throw new Error('it ended without an error');
    } catch (thrown) {
      if (signal.aborted) return;
      let error = thrown;
      if (isUnauthorized(error)) {
        const wasNew = isNew;
        try {
          key = await options.newKey();
          isNew = true;
          if (!wasNew) continue;
        } catch (failure) {
          error = failure;
        }
      } else isNew = false;
      options.onEnd(error, pauseMs);
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }
}

const isUnauthorized = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'unauthorized';
