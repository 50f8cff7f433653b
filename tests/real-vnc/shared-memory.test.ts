import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readSegments, type Segment } from '../../scripts/test/shared-memory.mjs';
import { freePort } from '../servers/free-port.js';
import { hasVncServers, x11vncArguments } from './support/real-vnc-servers.js';

let folder: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'streamspace-shm-'));
});

afterEach(async () => {
  for (const child of children.splice(0).reverse()) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  rmSync(folder, { recursive: true, force: true });
});

function run(program: string, args: readonly string[]): ChildProcess {
  const child = spawn(program, args, {
    env: { PATH: process.env['PATH'], HOME: folder },
    stdio: ['ignore', 'pipe', 'ignore', 'pipe'],
  });
  children.push(child);
  return child;
}

async function firstLine(stream: unknown, pattern: RegExp): Promise<string> {
  for await (const line of createInterface({ input: stream as Readable })) {
    const match = pattern.exec(line);
    if (match) return match[1]!;
  }
  throw new Error(`it ended without ${pattern}`);
}

/** Starts x11vnc, kills it, and returns what it has left. */
async function leftByKilled(edit: (args: string[]) => string[]): Promise<Segment[]> {
  const xvfb = run('Xvfb', ['-displayfd', '3', '-screen', '0', '800x600x24', '-nolisten', 'tcp', '-noreset']);
  const display = `:${await firstLine(xvfb.stdio[3], /^(\d+)/)}`;
  const x11vnc = run('x11vnc', edit(x11vncArguments(display, await freePort())));
  await firstLine(x11vnc.stdout, /^PORT=(\d+)/);
  x11vnc.kill('SIGKILL');
  await once(x11vnc, 'exit');
  return readSegments().filter(({ creator }) => creator === x11vnc.pid);
}

describe.runIf(hasVncServers())('an x11vnc of the tests that is killed', () => {
  it('leaves no shared memory', async () => {
    expect(await leftByKilled((args) => args)).toEqual([]);
  });

  it('would leave some without -noshm', async () => {
    const left = await leftByKilled((args) => args.filter((arg) => arg !== '-noshm'));
    for (const { id } of left) spawnSync('ipcrm', ['-m', String(id)]);
    expect(left.length).toBeGreaterThan(0);
    expect(left.every(({ attached }) => attached <= 1)).toBe(true);
  });
});
