import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Database } from '../src/index.js';
import { DatabaseError, type DatabaseErrorCode } from '../src/stores/database-error.js';
import { Releases } from '../src/stores/releases.js';

/** Releases on a database that counts what it is asked, and fails with `fault` where there is one. */
function setUp() {
  const state = { now: 0, asked: 0, fault: undefined as DatabaseErrorCode | undefined, errors: 0 };
  const database = {
    query: () => {
      state.asked += 1;
      return state.fault
        ? Promise.reject(new DatabaseError(state.fault, 'a fault'))
        : Promise.resolve({ rows: [], rowCount: 0 });
    },
  } as unknown as Database;
  const releases = new Releases({ database, onError: () => (state.errors += 1), now: () => state.now });
  const asked = async (flushes: number): Promise<number> => {
    const before = state.asked;
    for (let flush = 0; flush < flushes; flush++) await releases.flush();
    return state.asked - before;
  };
  return { state, releases, asked };
}

describe('the release of a claim whose outcome is not known', () => {
  it('is repeated for a minute, also when it was written, and then no more', async () => {
    const { state, releases, asked } = setUp();
    releases.claimFailed('a', 'connection');
    for (state.now = 0; state.now < 60_000; state.now += 10_000) expect(await asked(1)).toBe(1);
    expect(await asked(3)).toBe(1);
  });

  it('is written once at least where the database was away for longer', async () => {
    const { state, releases, asked } = setUp();
    releases.claimFailed('a', 'connection');
    state.fault = 'unavailable';
    state.now = 120_000;
    expect(await asked(2)).toBe(2);
    state.fault = undefined;
    expect(await asked(3)).toBe(1);
  });

  it('ends with a claim of the same connection, and not with that of another one', async () => {
    const { releases, asked } = setUp();
    releases.claimFailed('a', 'connection');
    releases.claimed('a', 'another');
    expect(await asked(1)).toBe(1);
    releases.claimed('a', 'connection');
    expect(await asked(1)).toBe(0);
  });
});

describe('releases that wait', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  for (const fault of ['closed', 'fatal'] as const)
    it(`are given up once the database says ${fault}`, async () => {
      const { state, releases, asked } = setUp();
      state.fault = fault;
      await expect(releases.release('a', 'connection', 1)).rejects.toMatchObject({ code: fault });
      await vi.advanceTimersByTimeAsync(60_000);
      expect(state).toMatchObject({ asked: 2, errors: 0 });
      expect(vi.getTimerCount()).toBe(0);
      expect(await asked(3)).toBe(0);
    });

  it('are repeated less and less often while a late claim is waited for', async () => {
    const { state, releases } = setUp();
    releases.claimFailed('a', 'connection');
    await vi.advanceTimersByTimeAsync(60_000);
    // After 0.5, 1.5, 3.5 and 7.5 s, then every 5 s.
    expect(state.asked).toBe(14);
    await releases.close();
    expect(vi.getTimerCount()).toBe(0);
  });
});
