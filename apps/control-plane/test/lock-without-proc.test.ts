import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type * as Fs from 'node:fs';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { takeLockFolder } from '../src/early/lock-folder.mjs';

// As on macOS: there is no /proc, so that no start time, boot id or PID namespace is known.
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof Fs>();
  const hide =
    <A extends unknown[], R>(read: (path: string, ...rest: A) => R) =>
    (path: string, ...rest: A): R =>
      read(String(path).startsWith('/proc/') ? '/no-proc-here' : path, ...rest);
  return { ...fs, readFileSync: hide(fs.readFileSync), readlinkSync: hide(fs.readlinkSync) };
});

const LEASE_MS = 1_000;
const LONG_LEASE_MS = 60_000;

let path: string;

beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), 'streamspace-no-proc-')), 'lock');
});

afterEach(() => {
  rmSync(join(path, '..'), { recursive: true, force: true });
});

function writeOwner(pid: number, leaseMs?: number): void {
  mkdirSync(path);
  const owner = { pid, host: hostname(), since: 'then', id: 'theirs', leaseMs };
  writeFileSync(join(path, 'owner.json'), JSON.stringify(owner));
  writeFileSync(join(path, 'beat-theirs'), '1');
}

describe('a lock on a system without /proc', { timeout: 30_000 }, () => {
  it('is taken over after its lease when another process has the pid of its dead holder', async () => {
    writeOwner(process.pid, LEASE_MS);
    const startedAt = performance.now();
    const lock = await takeLockFolder(path, { waitMs: 0 });
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(LEASE_MS);
    expect(lock.owner).toMatchObject({ pid: process.pid, startTime: undefined, boot: undefined });
    lock.release();
  });

  it('is taken over at once when no process has the pid of its holder', async () => {
    const gone = spawn(process.execPath, ['-e', '']);
    await once(gone, 'exit');
    writeOwner(gone.pid!, LONG_LEASE_MS);
    (await takeLockFolder(path, { waitMs: 0 })).release();
  });

  it('is kept by a holder that beats, and the refusal names the path to delete', async () => {
    const lock = await takeLockFolder(path, { waitMs: 0, leaseMs: 5_000 });
    await expect(takeLockFolder(path, { waitMs: 0 })).rejects.toThrow(`delete ${path}`);
    lock.assertHeld();
    lock.release();
  });

  it('that an earlier version wrote is refused with the path to delete while its pid exists', async () => {
    writeOwner(process.pid);
    await expect(takeLockFolder(path, { waitMs: 0 })).rejects.toThrow(`delete ${path}`);
  });
});
