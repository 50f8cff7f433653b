import { setTimeout as pause } from 'node:timers/promises';
import { PlatformError } from '@streamspace/agent-core';
import { isAlive, killGroup, type ProcessId, signalProcess } from './processes.js';
import type { FoundProcesses } from './session-processes.js';

/** How often processes that are to end are looked for, in ms. */
const LOOK_EVERY_MS = 15;
/** How long a process that was killed may take to be gone, in ms. Past it the call fails: it hangs in the kernel. */
export const KILL_LIMIT_MS = 5_000;
/** Complete looks in a row that have to find nothing. */
const EMPTY_LOOKS = 2;
/** Looks in a row that have to find nothing where other processes come and go all the time. */
const MOST_EMPTY_LOOKS = 8;
/** Times that groups in which nobody is seen are killed. Past it, who is there are zombies that nobody reaps. */
const MOST_SWEEPS = 5;

/**
 * Ends all that `find` finds, what was started meanwhile included: SIGTERM first, and SIGKILL once `graceMs` have
 * passed, to whole process groups then, so that nothing can fork away from it. One look that finds nothing proves
 * nothing: a process that forks and ends all the time may have slipped through. Processes of other users are left.
 * Resolves with all processes that it ended.
 *
 * @throws PlatformError `timeout` when some are there {@link KILL_LIMIT_MS} after they were killed
 */
export async function endProcesses(
  find: () => Promise<FoundProcesses>,
  graceMs: number,
): Promise<readonly ProcessId[]> {
  const startedAt = performance.now();
  const asked = new Map<string, ProcessId>();
  const beyondUs = new Set<string>();
  let groups: readonly number[] = [];
  let empty = { complete: 0, all: 0 };
  let sweeps = 0;
  for (;;) {
    const found = await find();
    const left = new Map(found.processes.map((id) => [keyOf(id), id as ProcessId]));
    // One that has lost its parent, which was all that showed whose it is, is still to end.
    for (const [key, id] of asked) if (!left.has(key) && (await isAlive(id))) left.set(key, id);
    for (const key of beyondUs) left.delete(key);
    if (left.size === 0) {
      empty = { complete: empty.complete + Number(found.isComplete), all: empty.all + 1 };
      if (empty.complete >= EMPTY_LOOKS || empty.all >= MOST_EMPTY_LOOKS) {
        const reached = [...new Set([...groups, ...found.groups])].map(killGroup);
        if (++sweeps > MOST_SWEEPS || !reached.includes(true)) return [...asked.values()];
        // What no look had seen takes a moment to be gone.
        empty = { complete: 0, all: 0 };
      }
      await pause(LOOK_EVERY_MS);
      continue;
    }
    empty = { complete: 0, all: 0 };
    groups = found.groups;
    const waitedMs = performance.now() - startedAt;
    if (waitedMs > graceMs + KILL_LIMIT_MS) {
      const pids = [...left.values()].map(({ pid }) => pid).join(', ');
      throw new PlatformError('timeout', `processes ${pids} are still there after SIGKILL`, true);
    }
    if (waitedMs > graceMs) groups.forEach((group) => killGroup(group));
    for (const [key, id] of left) {
      const isLate = waitedMs > graceMs;
      if ((isLate || !asked.has(key)) && !(await signalProcess(id, isLate ? 'SIGKILL' : 'SIGTERM'))) {
        beyondUs.add(key);
      } else {
        asked.set(key, id);
      }
    }
    await pause(LOOK_EVERY_MS);
  }
}

function keyOf({ pid, startedAt }: ProcessId): string {
  return `${pid} ${startedAt}`;
}
