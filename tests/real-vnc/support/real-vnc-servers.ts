import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

/** Debian packages of the far ends, and a program of each. */
const PACKAGES: Readonly<Record<string, string>> = {
  'tigervnc-standalone-server': '/usr/bin/Xtigervnc',
  xterm: '/usr/bin/xterm',
  openbox: '/usr/bin/openbox',
};

/** Whether the VNC servers are there. CI must have them; elsewhere the suite says aloud that it is left out. */
export function hasVncServers(): boolean {
  const missing = Object.keys(PACKAGES).filter((name) => !existsSync(PACKAGES[name] ?? ''));
  if (missing.length === 0) return true;
  const hint = `Left out for want of: apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (process.env['STREAMSPACE_TEST_STRICT'] === '1') throw new Error(hint);
  console.warn(hint);
  return false;
}

/** What is written in every line of the terminal: a double click selects it. */
export const WORD = 'fromthedesktop'.repeat(4);
/** The terminal's background, which nothing else on the screen has. */
export const TERMINAL_COLOUR = 0xc01030;
export const SCREEN = { width: 800, height: 600 };

/** Keeps each line that is typed, and writes the screen anew: that also ends what was selected on it. */
const TERMINAL = `show() {
  printf '\\033[2J\\033[H'
  for line in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do echo ${WORD}; done
}
show
while read -r line; do echo "$line" >> "$LINES_FILE"; show; done`;

/** A VNC server with a window manager and a terminal on its screen, which keeps the lines that are typed into it. */
export interface RealDesktop extends AsyncDisposable {
  readonly port: number;
  /** Everything that was typed. */
  lines(): Promise<string>;
}

/** Xvnc of TigerVNC: X server and VNC server in one. */
export function startXtigervnc(): Promise<RealDesktop> {
  return startDesktop(async (run, port) => {
    const { width, height } = SCREEN;
    const server = run('Xtigervnc', [
      ...['-displayfd', '3', '-rfbport', String(port), '-geometry', `${width}x${height}`, '-depth', '24'],
      ...['-SecurityTypes', 'None', '-localhost', '-nolisten', 'tcp'],
    ]);
    return displayOf(server);
  });
}

type Run = (program: string, args: readonly string[], env?: Record<string, string>) => ChildProcess;

async function startDesktop(start: (run: Run, port: number) => Promise<string>): Promise<RealDesktop> {
  const folder = await mkdtemp(join(tmpdir(), 'streamspace-vnc-'));
  const linesFile = join(folder, 'lines');
  const children: ChildProcess[] = [];
  const run: Run = (program, args, env = {}) => {
    const child = spawn(program, args, {
      env: { PATH: process.env['PATH'] ?? '', HOME: folder, ...env },
      stdio: ['ignore', 'pipe', 'ignore', 'pipe'],
    });
    // A program that cannot be started is missed by whoever waits for what it says.
    child.on('error', () => undefined);
    children.push(child);
    return child;
  };
  const stop = async (): Promise<void> => {
    for (const child of children.reverse()) await ended(child);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const port = await freePort();
    const display = await start(run, port);
    const env = { DISPLAY: display, LINES_FILE: linesFile };
    run('openbox', ['--sm-disable'], env).stdout?.resume();
    const colour = `#${TERMINAL_COLOUR.toString(16)}`;
    const look = ['-geometry', '70x16+60+80', '-bg', colour, '-fg', 'white', '-fn', 'fixed'];
    run('xterm', [...look, '-e', 'sh', '-c', TERMINAL], env).stdout?.resume();
    return {
      port,
      lines: () => readFile(linesFile, 'utf8').catch(() => ''),
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The display that an X server has chosen, which it writes when it takes connections. */
async function displayOf(server: ChildProcess): Promise<string> {
  server.stdout?.resume();
  const [number] = (await Promise.race([once(server.stdio[3] as Readable, 'data'), failed(server)])) as [
    Buffer,
  ];
  return `:${number.toString().trim()}`;
}

async function failed(server: ChildProcess): Promise<never> {
  const [code] = (await once(server, 'exit')) as [number | null];
  throw new Error(`${server.spawnfile} ended with ${code} before it was ready`);
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const patience = setTimeout(() => child.kill('SIGKILL'), 2_000);
  await gone;
  clearTimeout(patience);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
