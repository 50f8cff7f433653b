import { readFile } from 'node:fs/promises';
import type { SessionUsage } from '@streamspace/agent-core';
import type { ProcessId } from './processes.js';

/** What the kernel counts CPU time in for programs, on every Linux there is. */
const TICKS_PER_SECOND = 100;

/**
 * What processes use together: CPU time, that of children which have ended included, and memory of their own (files
 * that they share count for nobody).
 */
export async function usageOf(processes: readonly ProcessId[]): Promise<SessionUsage> {
  const each = await Promise.all(processes.map(({ pid }) => usageOfOne(pid)));
  return each.reduce(
    (sum, one) => ({
      cpuSeconds: sum.cpuSeconds + one.cpuSeconds,
      memoryBytes: sum.memoryBytes + one.memoryBytes,
    }),
    { cpuSeconds: 0, memoryBytes: 0 },
  );
}

async function usageOfOne(pid: number): Promise<SessionUsage> {
  // Gone meanwhile: nothing is used any more.
  const [stat, status] = await Promise.all(
    ['stat', 'status'].map((file) => readFile(`/proc/${pid}/${file}`, 'latin1').catch(() => '')),
  );
  const fields = (stat ?? '').slice((stat ?? '').lastIndexOf(')') + 2).split(' ');
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  const kilobytes = [...(status ?? '').matchAll(/^Rss(?:Anon|Shmem):\s+(\d+) kB/gm)].reduce(
    (sum, [, amount]) => sum + Number(amount),
    0,
  );
  return { cpuSeconds: ticks / TICKS_PER_SECOND, memoryBytes: kilobytes * 1024 };
}
