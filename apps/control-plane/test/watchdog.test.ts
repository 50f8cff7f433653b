import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { FreezeCount } from '../src/watchdog/freeze-count.mjs';

const PROGRAM = fileURLToPath(new URL('support/watched.ts', import.meta.url));
/** What the program counts to, in ms. */
const FREEZE_MS = 200;

let child: ChildProcess | undefined;
afterEach(() => void child?.kill('SIGKILL'));

interface Watched {
  readonly child: ChildProcess;
  readonly lines: AsyncIterator<string>;
  readonly errors: () => string;
  readonly closed: Promise<unknown[]>;
}

function start(...flags: string[]): Watched {
  child = spawn(
    process.execPath,
    [...flags, '--conditions=@streamspace/source', '--import', 'tsx', PROGRAM],
    {
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  );
  let errors = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (errors += text));
  return {
    child,
    lines: createInterface({ input: child.stdout! })[Symbol.asyncIterator](),
    errors: () => errors,
    closed: once(child, 'close'),
  };
}

const next = async ({ lines }: Watched): Promise<unknown> => (await lines.next()).value;

describe('FreezeCount', () => {
  const limits = { ticks: 30, tickMs: 1_000, lateMs: 2_000 };

  /** Ticks until the count says frozen, at most `most`. */
  function ticks(
    count: FreezeCount,
    most: number,
    at: (tick: number) => [now: number, beat: number],
  ): number {
    for (let tick = 1; tick <= most; tick++) if (count.tick(...at(tick))) return tick;
    return Infinity;
  }

  it('says frozen after 30 ticks in a row without a beat', () => {
    // The first tick only learns the beat.
    expect(ticks(new FreezeCount(limits), 100, (tick) => [tick * 1_000, 7])).toBe(31);
  });

  it('begins again at a beat', () => {
    expect(ticks(new FreezeCount(limits), 100, (tick) => [tick * 1_000, tick < 20 ? 7 : 8])).toBe(50);
    expect(ticks(new FreezeCount(limits), 100, (tick) => [tick * 1_000, Math.floor(tick / 30)])).toBe(
      Infinity,
    );
  });

  it('begins again at a tick that is more than 2 s late, and not at one that is less', () => {
    const suspended =
      (lateMs: number) =>
      (tick: number): [number, number] => [tick * 1_000 + (tick >= 20 ? lateMs : 0), 7];
    expect(ticks(new FreezeCount(limits), 100, suspended(2_001))).toBe(50);
    expect(ticks(new FreezeCount(limits), 100, suspended(1_999))).toBe(31);
  });

  it('never says frozen while every tick is late', () => {
    expect(ticks(new FreezeCount(limits), 500, (tick) => [tick * 3_001, 7])).toBe(Infinity);
  });
});

describe('the watchdog', () => {
  it('kills a process whose main thread spins, and says so', { timeout: 60_000 }, async () => {
    const watched = start();
    expect(await next(watched)).toBe('armed');
    watched.child.stdin!.write('spin\n');
    expect(await watched.closed).toEqual([null, 'SIGKILL']);
    expect(await next(watched)).toBeUndefined();
    expect(watched.errors()).toMatch(
      /^ERROR: The main thread has not run for 0\.2 s; this process \(pid \d+\) is killed\. Start it again: .*adopted\.\n$/,
    );
  });

  it('leaves a process alone that was suspended', { timeout: 60_000 }, async () => {
    const watched = start();
    expect(await next(watched)).toBe('armed');
    for (let round = 0; round < 3; round++) {
      watched.child.kill('SIGSTOP');
      await pause(2 * FREEZE_MS);
      watched.child.kill('SIGCONT');
      watched.child.stdin!.write(`${round}\n`);
      expect(await next(watched)).toBe(`answered ${round}`);
    }
    watched.child.stdin!.end();
    expect(await watched.closed).toEqual([0, null]);
    expect(watched.errors()).toBe('');
  });

  it('is not armed under an inspector', { timeout: 60_000 }, async () => {
    const watched = start('--inspect=127.0.0.1:0');
    expect(await next(watched)).toBe('not armed');
    watched.child.stdin!.end();
    expect(await watched.closed).toEqual([0, null]);
  });

  it('lets a process stand still in which an inspector has opened', { timeout: 60_000 }, async () => {
    const watched = start();
    expect(await next(watched)).toBe('armed');
    watched.child.stdin!.write('inspect\n');
    expect(await next(watched)).toBe('answered inspect');
    watched.child.stdin!.write('spin\n');
    expect(await next(watched)).toBe('answered spin');
    watched.child.stdin!.end();
    expect(await watched.closed).toEqual([0, null]);
  });

  it('does not keep a process alive', { timeout: 60_000 }, async () => {
    const watched = start();
    expect(await next(watched)).toBe('armed');
    watched.child.stdin!.end();
    expect(await watched.closed).toEqual([0, null]);
  });
});
