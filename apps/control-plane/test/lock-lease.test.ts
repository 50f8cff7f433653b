import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockDataFolder } from '../src/data-lock.js';
import { BeatWatch, renewBeat } from '../src/early/lock-beat.mjs';
import { readLockFolder, takeLockFolder } from '../src/early/lock-folder.mjs';
import { hasNamespaces, LockProcess, type LockProcessOptions } from './support/lock-processes.js';

/** A lease that is waited for, in ms: 200 ms between two beats. */
const LEASE_MS = 1_500;
/** One that must not end, on a machine that is busy with other tests. */
const LONG_LEASE_MS = 10_000;
const BUSY_MS = 3_000;
/** For a machine that is busy with other tests, in ms. */
const TIMEOUT_MS = 60_000;

let folder: string;
let path: string;
const processes: LockProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'streamspace-lease-'));
  path = join(folder, 'lock');
});

afterEach(async () => {
  for (const one of processes.splice(0)) await one.kill();
  rmSync(folder, { recursive: true, force: true });
});

function start(options: Partial<LockProcessOptions> = {}): LockProcess {
  const one = new LockProcess(path, { leaseMs: LEASE_MS, ...options });
  processes.push(one);
  return one;
}

function writeOwner(owner: Record<string, unknown>): void {
  mkdirSync(path);
  writeFileSync(join(path, 'owner.json'), JSON.stringify(owner));
}

const beats = (): string[] =>
  readdirSync(path)
    .filter((name) => name.startsWith('beat-'))
    .map((name) => readFileSync(join(path, name), 'latin1'));

describe('a lock whose holder cannot be seen', { timeout: TIMEOUT_MS }, () => {
  it('is kept by a holder that beats, and refused with pid, host, times and the path to delete', async () => {
    const holder = start({ elsewhere: true, leaseMs: LONG_LEASE_MS });
    await holder.says('held');
    const refusal = String(await lockDataFolder(folder).catch((error: unknown) => error));
    const time = String.raw`\d{4}-\d\d-\d\dT[\d:.]+Z`;
    expect(refusal).toMatch(
      new RegExp(
        `STREAMSPACE_DATA_DIR=.*: in use by pid ${holder.child.pid} on ${hostname()} since ${time}, last seen alive ${time}; ` +
          `stop that process, or, if that machine or container no longer runs it, delete ${path}, or choose another folder$`,
      ),
    );
    expect(readLockFolder(path)?.pid).toBe(holder.child.pid);
    expect(holder.isOver).toBe(false);
  });

  it('is taken over from a killed holder after its lease, and not before', async () => {
    const holder = start({ elsewhere: true });
    await holder.says('held');
    await holder.kill();
    const startedAt = performance.now();
    // Without patience for a living one: that it lives is what has to be found out.
    const lock = await lockDataFolder(folder, { waitMs: 0 });
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(LEASE_MS);
    expect(lock.owner.pid).toBe(process.pid);
    lock.release();
  });

  it('is kept by a holder whose main thread is busy for longer than the lease', async () => {
    const holder = start({ elsewhere: true, leaseMs: BUSY_MS });
    await holder.says('held');
    holder.tell(`block ${2 * BUSY_MS}`);
    const rival = start({ waitMs: 2 * BUSY_MS });
    await rival.says('refused');
    await holder.says('blocked');
    expect(holder.isOver).toBe(false);
    expect(readLockFolder(path)?.pid).toBe(holder.child.pid);
  });

  it('is lost by a stopped holder, which ends and writes nothing when it goes on', async () => {
    const holder = start({ elsewhere: true });
    const file = join(folder, 'writes');
    await holder.says('held');
    holder.tell(`write ${file}`);
    await holder.says('written');
    holder.signal('SIGSTOP');
    // These reach it before its own timers do.
    for (let count = 0; count < 20; count++) holder.tell(`write ${file}`);
    const next = start({ waitMs: 60_000 });
    await next.says('held');
    holder.signal('SIGCONT');
    await holder.exited;
    expect(holder.child.exitCode).toBe(3);
    expect(holder.lines.at(-1)).toBe('lost lock_lost');
    expect(readFileSync(file, 'utf8')).toBe(`${holder.child.pid}\n`);
    expect(readLockFolder(path)?.pid).toBe(next.child.pid);
  });

  it('is kept by a holder that was stopped for less than the lease', async () => {
    const holder = start({ elsewhere: true, leaseMs: LONG_LEASE_MS });
    await holder.says('held');
    holder.signal('SIGSTOP');
    const rival = start();
    await rival.says('waits');
    holder.signal('SIGCONT');
    await rival.says('refused');
    expect(readLockFolder(path)?.pid).toBe(holder.child.pid);
  });

  it('that an earlier version wrote is not judged by silence; the line says what to delete', async () => {
    writeOwner({ pid: 1, startTime: 'x/1', host: 'elsewhere', since: 'then', id: 'theirs' });
    const refusal = String(await lockDataFolder(folder, { waitMs: 0 }).catch((error: unknown) => error));
    expect(refusal).toContain(
      `in use by pid 1 on elsewhere since then, last seen alive at an unknown time (an earlier version wrote the lock)`,
    );
    expect(refusal).toContain(`if that machine or container no longer runs it, delete ${path}`);
  });

  it('that an earlier version wrote on this host is judged by its process', async () => {
    writeOwner({ pid: 2 ** 22 + 1, host: hostname(), since: 'then', id: 'theirs' });
    (await lockDataFolder(folder, { waitMs: 0 })).release();
  });
});

describe('the beat', { timeout: TIMEOUT_MS }, () => {
  it('is renewed in the lock’s folder and ends with the lock', async () => {
    const lock = await takeLockFolder(path, { waitMs: 0, leaseMs: LEASE_MS });
    const [first] = beats();
    await expect.poll(() => beats()[0]).not.toBe(first);
    lock.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('finds out that a person has deleted the lock', async () => {
    const lock = await takeLockFolder(path, { waitMs: 0, leaseMs: LEASE_MS });
    lock.assertHeld();
    rmSync(path, { recursive: true });
    await expect.poll(() => lock.lost.aborted).toBe(true);
    expect(() => lock.assertHeld()).toThrow(/lock is not held by this process \(pid \d+ on .*\) any more/);
    lock.release();
    expect(existsSync(path)).toBe(false);
  });

  it('that cannot be reached for a moment does not count as a lost lock', async () => {
    // The lock's path goes through a symbolic link: one to itself is an errno (ELOOP) that tells nothing of the file.
    const link = join(folder, 'link');
    const pointTo = (target: string): void => {
      symlinkSync(target, `${link}.new`);
      renameSync(`${link}.new`, link);
    };
    mkdirSync(join(folder, 'real'));
    pointTo('real');
    // With a lease this short each assertion renews the lock.
    const lock = await takeLockFolder(join(link, 'lock'), { waitMs: 0, leaseMs: 3 });
    const file = join(link, 'lock', `beat-${lock.owner.id}`);
    try {
      pointTo('link');
      expect(renewBeat(file)).toBe('failed');
      await new Promise((resolve) => setTimeout(resolve, 3));
      expect(() => lock.assertHeld()).not.toThrow();
      pointTo('real');
      expect(renewBeat(file)).toBe('renewed');
      expect(lock.lost.aborted).toBe(false);
    } finally {
      pointTo('real');
      lock.release();
    }
    expect(readdirSync(join(folder, 'real'))).toEqual([]);
  });

  it('counts as lost when its file, or a folder of its path, is gone', () => {
    mkdirSync(path);
    expect(renewBeat(join(path, 'beat-one'))).toBe('lost');
    rmSync(path, { recursive: true });
    expect(renewBeat(join(path, 'beat-one'))).toBe('lost');
    writeFileSync(path, '');
    expect(renewBeat(join(path, 'beat-one'))).toBe('lost');
  });

  it('counts as silence only what the watcher has watched', () => {
    const watch = new BeatWatch();
    const holder = { id: 'one', leaseMs: 15_000 };
    expect(watch.look(holder, '1', 0)).toBe('silent');
    // The watcher, and maybe the holder too, was suspended for a minute: one second of that counts.
    expect(watch.look(holder, '1', 60_000)).toBe('silent');
    for (let second = 1; second < 14; second++)
      expect(watch.look(holder, '1', 60_000 + second * 1_000)).toBe('silent');
    expect(watch.look(holder, '1', 74_000)).toBe('dead');
  });

  it('of another holder is watched from the start, and one beat makes a holder alive until its lease is over', () => {
    const watch = new BeatWatch();
    expect(watch.look({ id: 'one', leaseMs: 2_000 }, '1', 0)).toBe('silent');
    expect(watch.look({ id: 'one', leaseMs: 2_000 }, '1', 1_000)).toBe('silent');
    expect(watch.look({ id: 'two', leaseMs: 2_000 }, '1', 2_000)).toBe('silent');
    expect(watch.look({ id: 'two', leaseMs: 2_000 }, '2', 3_000)).toBe('alive');
    expect(watch.look({ id: 'two', leaseMs: 2_000 }, '2', 4_000)).toBe('alive');
    expect(watch.look({ id: 'two', leaseMs: 2_000 }, '2', 5_000)).toBe('dead');
  });
});

describe.runIf(hasNamespaces)('a lock and namespaces', { timeout: TIMEOUT_MS }, () => {
  it('is taken over at once from a killed holder under another host name', async () => {
    const holder = start({ namespace: 'uts', leaseMs: 60_000 });
    await holder.says('held');
    expect(readLockFolder(path)?.host).toBe('another-host');
    await holder.kill();
    (await lockDataFolder(folder, { waitMs: 0 })).release();
  });

  it('is not taken from a living holder under another host name', async () => {
    const holder = start({ namespace: 'uts' });
    await holder.says('held');
    // Its process is seen: silence says nothing.
    holder.signal('SIGSTOP');
    const rival = start({ waitMs: 2 * LEASE_MS });
    const line = await rival.says('refused');
    expect(line).toMatch(/held by pid \d+ on another-host since .*, last seen alive .*; stop that process$/);
    expect(readLockFolder(path)?.pid).toBe(holder.child.pid);
  });

  it('is taken over after the lease from a killed holder in another PID namespace', async () => {
    const holder = start({ namespace: 'pid' });
    await holder.says('held');
    await holder.kill();
    const startedAt = performance.now();
    (await lockDataFolder(folder, { waitMs: 0 })).release();
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(LEASE_MS);
  });

  it('is not taken from a living holder in another PID namespace', async () => {
    const holder = start({ namespace: 'pid', leaseMs: LONG_LEASE_MS });
    await holder.says('held');
    const rival = start();
    expect(await rival.says('refused')).toContain(`delete ${path}`);
    expect(holder.isOver).toBe(false);
  });

  it('is lost by a holder in another PID namespace that is stopped for longer', async () => {
    const holder = start({ namespace: 'pid' });
    await holder.says('held');
    holder.signal('SIGSTOP');
    const next = start({ waitMs: 60_000 });
    await next.says('held');
    holder.signal('SIGCONT');
    await holder.exited;
    expect(holder.lines.at(-1)).toBe('lost lock_lost');
    expect(next.isOver).toBe(false);
  });
});
