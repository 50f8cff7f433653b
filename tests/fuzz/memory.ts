import { setTimeout as pause } from 'node:timers/promises';
import { must } from './target.js';

const MIB = 1024 * 1024;
/** What engine and test may need beside the input, in bytes. */
const SLACK_BYTES = 4 * MIB;
/** Bytes of objects for one byte of JSON, at the worst: nothing but brackets, of which the engine makes 29. */
const BYTES_PER_INPUT_BYTE = 40;
/** How much more the process may hold after thousands of cases than before them, in bytes. */
const GROWTH_BYTES = 32 * MIB;

/** How often, and how long after the last time, in ms, it is looked again before that counts. */
const LOOKS_AGAIN = 20;
const LOOK_INTERVAL_MS = 100;

const held = (): number => {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

/** Runs `action` and throws when it allocated out of proportion to the `inputBytes` that it may look at. */
export function boundedBy<T>(inputBytes: number, action: () => T): T {
  const before = held();
  try {
    return action();
  } finally {
    const allocated = held() - before;
    const allowed = SLACK_BYTES + BYTES_PER_INPUT_BYTE * inputBytes;
    must(
      allocated <= allowed,
      `${allocated} bytes were allocated for an input of ${inputBytes}, allowed are ${allowed}`,
    );
  }
}

/** What is held when nothing can be given back any more, in bytes. Needs --expose-gc. */
export function heldAfterCollection(): number {
  const collect = globalThis.gc;
  must(collect !== undefined, 'run this with --expose-gc');
  // What buffers had is given back after the collection that found them.
  collect();
  collect();
  return held();
}

/** Watches what stays in memory over many cases. Needs --expose-gc. */
export class MemoryWatch {
  #baseline: number | undefined;

  async check(): Promise<void> {
    let now = heldAfterCollection();
    this.#baseline ??= now;
    // Of zlib's streams, much is given back by threads of their own, some time after they were closed.
    for (let left = LOOKS_AGAIN; left > 0 && now - this.#baseline > GROWTH_BYTES; left--) {
      await pause(LOOK_INTERVAL_MS);
      now = heldAfterCollection();
    }
    const growth = now - this.#baseline;
    must(
      growth <= GROWTH_BYTES,
      `${growth} bytes more than at the start are held; allowed are ${GROWTH_BYTES}`,
    );
  }
}
