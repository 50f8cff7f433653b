import { setTimeout as pause } from 'node:timers/promises';
import { PlatformError } from '@streamspace/agent-core';
import { type ProcessId, signalProcess } from './processes.js';

/** How often processes that are to end are looked for, in ms. */
const LOOK_EVERY_MS = 15;
/** How long a process that was killed may take to be gone, in ms. Past it the call fails: it hangs in the kernel. */
export const KILL_LIMIT_MS = 5_000;

/**
 * Ends all that `find` finds, what was started meanwhile included: SIGTERM first, and SIGKILL once `graceMs` have
 * passed. Resolves with all processes that it ended, once a look found none.
 *
 * @throws PlatformError `timeout` when some are there {@link KILL_LIMIT_MS} after they were killed
 */
export async function endProcesses(
  find: () => Promise<readonly ProcessId[]>,
  graceMs: number,
): Promise<readonly ProcessId[]> {
  const startedAt = performance.now();
  const asked = new Map<string, ProcessId>();
  for (;;) {
    const left = await find();
    if (left.length === 0) return [...asked.values()];
    const waitedMs = performance.now() - startedAt;
    if (waitedMs > graceMs + KILL_LIMIT_MS) {
      const pids = left.map(({ pid }) => pid).join(', ');
      throw new PlatformError('timeout', `processes ${pids} are still there after SIGKILL`, true);
    }
    for (const id of left) {
      const key = `${id.pid} ${id.startedAt}`;
      if (waitedMs > graceMs) await signalProcess(id, 'SIGKILL');
      else if (!asked.has(key)) await signalProcess(id, 'SIGTERM');
      asked.set(key, id);
    }
    await pause(LOOK_EVERY_MS);
  }
}
