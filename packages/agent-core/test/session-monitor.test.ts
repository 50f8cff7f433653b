import { afterEach, describe, expect, it } from 'vitest';
import type { Platform } from '../src/index.js';
import type { SessionReport } from '../src/report-queue.js';
import { SessionMonitor } from '../src/session-monitor.js';
import { SessionTable } from '../src/session-table.js';
import { memoryPlatform } from '../src/testing/index.js';

const open: SessionMonitor[] = [];
afterEach(() => {
  for (const monitor of open.splice(0)) monitor.close();
});

function watching(list: Platform['list'], { listTimeoutMs = 10, pollIntervalMs = 60_000 } = {}) {
  // Without `watch`: it is polled.
  const { watch: _watch, ...platform } = { ...memoryPlatform(), list } as Platform;
  const clock = { ms: 0 };
  const errors: string[] = [];
  const reports: SessionReport[] = [];
  const monitor = new SessionMonitor({
    platform,
    table: new SessionTable(),
    isBusy: () => false,
    report: (report) => void reports.push(report),
    onMissing: () => undefined,
    onError: (error, where) => errors.push(`${where}: ${String(error)}`),
    idleAfterMs: 0,
    usageIntervalMs: 0,
    pollIntervalMs,
    listTimeoutMs,
    now: () => clock.ms,
  });
  open.push(monitor);
  return { monitor, clock, errors, reports };
}

const never = (): Promise<never> => new Promise(() => undefined);

describe('a list that hangs', () => {
  it('is given up, and the next one is asked for', async () => {
    let lists = 0;
    const { monitor } = watching(() => (++lists === 1 ? never() : Promise.resolve([])));
    await expect(monitor.survey()).rejects.toMatchObject({ code: 'timeout' });
    expect(monitor.problem).toBe(
      'The platform did not list its sessions: the platform gave no list within 10 ms',
    );
    expect(await monitor.survey()).toEqual([]);
    expect(monitor.problem).toBeUndefined();
  });

  it('is heard of where the platform is polled', async () => {
    const { monitor, errors } = watching(never, { pollIntervalMs: 5 });
    monitor.open();
    await expect
      .poll(() => errors[0])
      .toContain(
        'listing the sessions of the platform: PlatformError: the platform gave no list within 10 ms',
      );
  });

  it('is a problem before it is given up', async () => {
    let begun = (): void => undefined;
    const asked = new Promise<void>((resolve) => (begun = resolve));
    const list = (): Promise<never> => {
      begun();
      return never();
    };
    const { monitor, clock } = watching(list, { listTimeoutMs: 60_000 });
    monitor.survey().catch(() => undefined);
    await asked;
    clock.ms = 10_000;
    expect(monitor.problem).toBeUndefined();
    clock.ms = 12_000;
    expect(monitor.problem).toBe('The platform has been listing its sessions for 12 s.');
  });

  it('holds nobody who has given up waiting, and stays for the others', async () => {
    let answer = (_sessions: []): void => undefined;
    const { monitor } = watching(() => new Promise((resolve) => (answer = resolve)), {
      listTimeoutMs: 60_000,
    });
    const other = monitor.survey();
    const stop = new AbortController();
    const given = monitor.survey(stop.signal);
    stop.abort(new Error('nobody wants it any more'));
    await expect(given).rejects.toThrow('nobody wants it any more');
    answer([]);
    expect(await other).toEqual([]);
  });

  it('is not asked for without end', async () => {
    let lists = 0;
    const { monitor } = watching(
      () => {
        lists += 1;
        return never();
      },
      { listTimeoutMs: 1 },
    );
    for (let i = 0; i < 16; i++) await expect(monitor.survey()).rejects.toMatchObject({ code: 'timeout' });
    await expect(monitor.survey()).rejects.toMatchObject({ code: 'platform_unavailable', shouldRetry: true });
    expect(lists).toBe(16);
  });
});

describe('a reason that is too long', () => {
  it('is cut, and no character of it in two', async () => {
    const session = { sessionId: 's-1', generation: 1, commandId: 'c-1' };
    const states = ['running', 'failed'] as const;
    let lists = 0;
    const { monitor, reports } = watching(async () => [
      { ...session, state: states[lists++]!, reason: 'x'.repeat(4_095) + '🖥 and more' },
    ]);
    await monitor.survey();
    await monitor.survey();
    expect(reports.find(({ type }) => type === 'status')?.payload).toMatchObject({
      state: 'failed',
      reason: 'x'.repeat(4_095),
    });
  });
});
