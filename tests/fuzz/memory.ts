import { must } from './target.js';

const MIB = 1024 * 1024;
/** What engine and test may need beside the input, in bytes. */
const SLACK_BYTES = 4 * MIB;
/** Bytes of objects for one byte of JSON, at the worst: nothing but brackets. */
const BYTES_PER_INPUT_BYTE = 128;
/** How much more the process may hold after thousands of cases than before them, in bytes. */
const GROWTH_BYTES = 32 * MIB;

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

/** Watches what stays in memory over many cases. Needs --expose-gc. */
export class MemoryWatch {
  #baseline: number | undefined;

  check(): void {
    const collect = globalThis.gc;
    must(collect !== undefined, 'run this with --expose-gc');
    collect();
    this.#baseline ??= held();
    const growth = held() - this.#baseline;
    must(
      growth <= GROWTH_BYTES,
      `${growth} bytes more than at the start are held; allowed are ${GROWTH_BYTES}`,
    );
  }
}
