import { expect } from 'vitest';

/** Generous, since a browser on a busy machine takes its time; a passing check does not wait for it. */
const PATIENCE_MS = 20_000;

/** Asks again until the expectation holds. */
export function eventually(ask: () => unknown): ReturnType<typeof expect.poll> {
  return expect.poll(ask, { timeout: PATIENCE_MS });
}
