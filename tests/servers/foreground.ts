import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { missing } from './missing.js';

const START_LIMIT_MS = 15_000;
const STOP_LIMIT_MS = 5_000;
/** Most output of a program that is kept for an error message, in characters. */
const KEPT_CHARS = 16 * 1024;

/** A program, wherever Debian or the caller's `PATH` has it; `undefined` where it is not, unless a run is strict. */
export function requireProgram(name: string, debianPackage: string): string | undefined {
  const folders = ['/usr/sbin', ...(process.env['PATH'] ?? '').split(delimiter)];
  const program = folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
  return program ?? missing(name, debianPackage);
}

export interface ForegroundOptions {
  readonly program: string;
  readonly port: number;
  /** Writes the configuration into the program's own folder and returns the arguments. */
  readonly configure: (folder: string) => Promise<readonly string[]>;
}

/** A server program that runs in the foreground, as a child of the test, with a temporary folder of its own. */
export interface Foreground extends AsyncDisposable {
  readonly port: number;
  /** What it printed last. */
  output(): string;
}

/**
 * Starts a program and resolves when it takes connections on its port of loopback. Disposing it stops the program and
 * removes the folder. `HOME` and the XDG folders point into the folder, so that nothing is written elsewhere.
 */
export async function startInForeground(options: ForegroundOptions): Promise<Foreground> {
  const { program, port, configure } = options;
  const folder = await mkdtemp(join(tmpdir(), 'streamspace-server-'));
  const args = await configure(folder).catch(async (error: unknown) => {
    await rm(folder, { recursive: true, force: true });
    throw error;
  });
  const child = spawn(program, args, {
    cwd: folder,
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      XDG_CONFIG_HOME: folder,
      XDG_DATA_HOME: folder,
      TMPDIR: folder,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'exit');
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-KEPT_CHARS)));
  const dispose = async (): Promise<void> => {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
    if (child.exitCode === null && child.signalCode === null) await ended;
    clearTimeout(timer);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await listening(port, ended);
  } catch (cause) {
    await dispose();
    throw new Error(`${program} does not listen on port ${port}.\n${output}`, { cause });
  }
  return { port, output: () => output, [Symbol.asyncDispose]: dispose };
}

/** Resolves when the port takes connections; rejects when the program has ended before, or takes too long. */
async function listening(port: number, ended: Promise<unknown>): Promise<void> {
  const hasEnded = ended.then(() => true);
  const deadline = performance.now() + START_LIMIT_MS;
  while (!(await isOpen(port))) {
    const pause = new Promise<false>((resolve) => setTimeout(resolve, 20, false));
    if (await Promise.race([hasEnded, pause])) throw new Error('The program has ended.');
    if (performance.now() > deadline) throw new Error(`Not within ${START_LIMIT_MS} ms.`);
  }
}

async function isOpen(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
