import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readConfig } from '../src/config.js';
import { lockDataFolder } from '../src/data-lock.js';
import { readLockFolder } from '../src/early/lock-folder.mjs';
import { createLog } from '../src/log.js';
import { takePort } from '../src/port.js';

const module = new URL('../src/early/lock-folder.mjs', import.meta.url).href;

let folder: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'streamspace-lock-'));
});

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  rmSync(folder, { recursive: true, force: true });
});

/** A process that takes the lock, says so, and then does what `then` says. */
function holder(then: string, waitMs = 0): ChildProcess {
  const code = `
    import { appendFileSync } from 'node:fs';
    import { takeLockFolder } from ${JSON.stringify(module)};
    const note = (text) => appendFileSync(${JSON.stringify(join(folder, 'notes'))}, text + process.pid + '\\n');
    const lock = await takeLockFolder(${JSON.stringify(join(folder, 'lock'))}, { waitMs: ${waitMs} });
    console.log('held');
    ${then}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  return child;
}

async function held(child: ChildProcess): Promise<void> {
  if (!child.stdout) throw new Error('no output');
  await once(createInterface(child.stdout), 'line');
}

/** Starts six processes that want the lock, and checks that each holds it once and alone. */
async function expectOneHolderAtATime(): Promise<void> {
  const racers = Array.from({ length: 6 }, () =>
    holder('note("+"); await new Promise((r) => setTimeout(r, 20)); note("-"); lock.release();', 20_000),
  );
  await Promise.all(racers.map((racer) => once(racer, 'exit')));
  expect(racers.map((racer) => racer.exitCode)).toEqual(racers.map(() => 0));
  const notes = readFileSync(join(folder, 'notes'), 'utf8').trim().split('\n');
  expect(notes).toHaveLength(12);
  for (let i = 0; i < notes.length; i += 2) {
    expect(notes[i]).toBe(`+${notes[i]?.slice(1)}`);
    expect(notes[i + 1]).toBe(`-${notes[i]?.slice(1)}`);
  }
}

describe('the lock of the data folder', () => {
  it('is taken, and free again when it is released', async () => {
    const first = await lockDataFolder(folder);
    expect(readLockFolder(join(folder, 'lock'))).toMatchObject({ pid: process.pid, host: hostname() });
    first.release();
    first.release();
    expect(readdirSync(folder)).toEqual([]);
    (await lockDataFolder(folder)).release();
  });

  it('of a living process is refused by its pid and since when, in one line', async () => {
    const child = holder('setInterval(() => {}, 1000);');
    await held(child);
    const refusal = await lockDataFolder(folder, { waitMs: 100 }).catch((error: unknown) => error);
    expect(String(refusal)).toMatch(
      new RegExp(`in use by pid ${child.pid} on .* since \\d{4}-\\d\\d-\\d\\dT`),
    );
    expect(String(refusal)).not.toContain('\n');
  });

  it('is waited for when its holder is about to end', async () => {
    const child = holder('setTimeout(() => lock.release(), 300);');
    await held(child);
    const lock = await lockDataFolder(folder);
    expect(lock.owner.pid).toBe(process.pid);
    lock.release();
  });

  it('is taken over at once from a holder that was killed', async () => {
    const child = holder('setInterval(() => {}, 1000);');
    await held(child);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const lock = await lockDataFolder(folder, { waitMs: 0 });
    expect(lock.owner.pid).toBe(process.pid);
    lock.release();
  });

  it('is taken over when the pid belongs to another process by now', async () => {
    const path = join(folder, 'lock');
    const dead = { pid: process.pid, startTime: 'before/1', host: hostname(), since: 'then', id: 'earlier' };
    mkdirSync(path);
    writeFileSync(join(path, 'owner.json'), JSON.stringify(dead));
    (await lockDataFolder(folder, { waitMs: 0 })).release();
  });

  it('is taken over when a crash has left it half written', async () => {
    mkdirSync(join(folder, 'lock'));
    writeFileSync(join(folder, 'lock', 'owner.json'), '{"pid":');
    (await lockDataFolder(folder, { waitMs: 0 })).release();
  });

  it('that is a file is named in one line, and nothing else is left behind', async () => {
    writeFileSync(join(folder, 'lock'), '');
    const refusal = await lockDataFolder(folder).catch((error: unknown) => error);
    expect(String(refusal)).toMatch(/STREAMSPACE_DATA_DIR=.*: .*\/lock is a file and no lock; delete it$/);
    expect(readdirSync(folder)).toEqual(['lock']);
  });

  it('of another host is nobody else’s to judge', async () => {
    const path = join(folder, 'lock');
    mkdirSync(path);
    const owner = { pid: 1, startTime: 'x', host: 'elsewhere', since: 'then', id: 'theirs' };
    writeFileSync(join(path, 'owner.json'), JSON.stringify(owner));
    await expect(lockDataFolder(folder, { waitMs: 0 })).rejects.toThrow(/in use by pid 1 on elsewhere/);
    expect(existsSync(path)).toBe(true);
  });

  it('has one holder at a time when many take it over from a dead one', { timeout: 30_000 }, async () => {
    const dead = holder('process.kill(process.pid, "SIGKILL");');
    await once(dead, 'exit');
    await expectOneHolderAtATime();
  });
});

describe('the lock of a dead holder whose remains exist already', { timeout: 30_000 }, () => {
  const MOST_REMAINS = 20;
  const lockPath = (): string => join(folder, 'lock');
  const remains = (): string[] => readdirSync(folder).filter((name) => name.startsWith('lock.dead-'));

  /** As when a backup of a running folder is unpacked over it after a crash and one more start. */
  async function restoreAfterTakeover(): Promise<string> {
    const dead = holder('setInterval(() => {}, 1000);');
    await held(dead);
    const backup = join(folder, 'backup');
    cpSync(lockPath(), backup, { recursive: true });
    dead.kill('SIGKILL');
    await once(dead, 'exit');
    (await lockDataFolder(folder, { waitMs: 0 })).release();
    cpSync(backup, lockPath(), { recursive: true });
    rmSync(backup, { recursive: true });
    const id = readLockFolder(lockPath())!.id;
    expect(remains()).toEqual([`lock.dead-${id}`]);
    return id;
  }

  it('is taken over, and the earlier remains are kept', async () => {
    const id = await restoreAfterTakeover();
    // In a process that can be killed: a start that spins blocks this one for ever.
    const next = holder('setInterval(() => {}, 1000);');
    await held(next);
    expect(readLockFolder(lockPath())?.pid).toBe(next.pid);
    expect(remains().sort()).toEqual([`lock.dead-${id}`, `lock.dead-${id}.1`]);
  });

  it('has one holder at a time when many take it over', async () => {
    await restoreAfterTakeover();
    await expectOneHolderAtATime();
  });

  it('is refused with the paths to delete when every name for the remains is in use', async () => {
    const id = await restoreAfterTakeover();
    const first = join(folder, `lock.dead-${id}`);
    for (let number = 1; number < MOST_REMAINS; number++)
      cpSync(first, `${first}.${number}`, { recursive: true });
    const refusal = String(await lockDataFolder(folder, { waitMs: 0 }).catch((error: unknown) => error));
    expect(refusal).toContain(`STREAMSPACE_DATA_DIR=${folder}: `);
    expect(refusal).toContain(`delete ${first}*`);
    expect(readLockFolder(lockPath())?.id).toBe(id);
  });
});

describe('a port in use and the lock of the data folder', () => {
  it('tells once that it waits for a holder that cannot be seen', { timeout: 30_000 }, async () => {
    const owner = { pid: 1, host: 'elsewhere', since: 'then', id: 'theirs', boot: 'another', leaseMs: 1_000 };
    mkdirSync(join(folder, 'lock'));
    writeFileSync(join(folder, 'lock', 'owner.json'), JSON.stringify(owner));
    const lines: string[] = [];
    const log = createLog('info', (line) => lines.push(line));
    const [busy, server] = [createServer(), createServer()];
    await new Promise<void>((resolve) => busy.listen(0, '127.0.0.1', resolve));
    const { port } = busy.address() as AddressInfo;
    try {
      const env = { PORT: String(port), HOST: '127.0.0.1', STREAMSPACE_DATA_DIR: folder };
      const config = readConfig(env, folder);
      const stop = new AbortController().signal;
      await expect(takePort(server, { config, log, stop })).rejects.toThrow(/in use/);
    } finally {
      busy.close();
    }
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(
      `Port ${port} is in use; waiting for the data folder: held by pid 1 on elsewhere since then`,
    );
  });
});

describe('the lock in many orders of events', () => {
  /** Long enough for a machine that is busy with other tests, in ms. */
  const LEASE_MS = 3_000;
  const ACTORS = 4;
  const ROUNDS = 8;
  const actor = fileURLToPath(new URL('support/lock-actor.mjs', import.meta.url));

  /** Runs the actors of a seed to their ends; resolves with what they said. */
  async function play(seed: number): Promise<string[]> {
    const said: string[] = [];
    const path = join(folder, `lock-${seed}`);
    const run = async (number: number): Promise<void> => {
      const args = [actor, path, String(seed * 100 + number), String(ROUNDS), String(LEASE_MS)];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      children.push(child);
      let waking: NodeJS.Timeout | undefined;
      createInterface(child.stdout).on('line', (line) => {
        said.push(line);
        const stopMs = /^stops (\d+)$/.exec(line)?.[1];
        // More than once: it may say so well before it stops.
        if (stopMs)
          setTimeout(() => (waking = setInterval(() => child.kill('SIGCONT'), 100)), Number(stopMs));
      });
      await once(child, 'close');
      clearInterval(waking);
      if (child.signalCode === 'SIGKILL') said.push('killed');
    };
    await Promise.all(Array.from({ length: ACTORS }, (_, number) => run(number)));
    return said;
  }

  it('never has two holders, and a dead one keeps it from nobody', { timeout: 120_000 }, async () => {
    const seeds = [1, 2, 3];
    const said = (await Promise.all(seeds.map(play))).flat();
    const count = (start: string): number => said.filter((line) => line.startsWith(start)).length;
    expect(said.filter((line) => line.startsWith('violation'))).toEqual([]);
    // Each actor came to an end: it was not kept out for ever.
    expect(count('done') + count('lost') + count('killed')).toBe(seeds.length * ACTORS);
    expect(count('taken')).toBeGreaterThan(20);
    expect(count('killed')).toBeGreaterThan(0);
    expect(count('stops')).toBeGreaterThan(0);
  });
});

describe('the data folder', () => {
  it('that is a file is refused with the variable’s name', async () => {
    const path = join(folder, 'file');
    writeFileSync(path, '');
    await expect(lockDataFolder(path)).rejects.toThrow(
      /^STREAMSPACE_DATA_DIR=.*\/file: .*\/file is a file; allowed is a folder/,
    );
    await expect(lockDataFolder(join(path, 'below'))).rejects.toThrow(
      /^STREAMSPACE_DATA_DIR=.*\/below: .*\/file is a file; allowed is a folder|not writable \(ENOTDIR\)/,
    );
    await expect(lockDataFolder('/dev/null')).rejects.toThrow(/: \/dev\/null is a file;/);
  });

  it('is made with all that is above it, for its owner alone', async () => {
    const path = join(folder, 'one', 'two');
    (await lockDataFolder(path)).release();
    expect(statSync(path).mode & 0o777).toBe(0o700);
  });

  it.runIf(existsSync('/proc/self'))('that nobody can make is refused at once', async () => {
    await expect(lockDataFolder('/proc/x/y')).rejects.toThrow(
      /^STREAMSPACE_DATA_DIR=\/proc\/x\/y: not writable \(E[A-Z]+\); allowed is/,
    );
  });
});
