import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../servers/free-port.js';
import { missing } from '../../servers/missing.js';
import { Programs, type Program } from './real-vnc-programs.js';

/** Debian packages of the far ends, and a program of each. */
const PACKAGES: Readonly<Record<string, string>> = {
  'tigervnc-standalone-server': '/usr/bin/Xtigervnc',
  x11vnc: '/usr/bin/x11vnc',
  xvfb: '/usr/bin/Xvfb',
  'x11-xserver-utils': '/usr/bin/xrandr',
  xterm: '/usr/bin/xterm',
  openbox: '/usr/bin/openbox',
};

/** Whether the VNC servers are there. A strict run must have them. */
export function hasVncServers(): boolean {
  const packages = Object.keys(PACKAGES).filter((name) => !existsSync(PACKAGES[name] ?? ''));
  if (packages.length === 0) return true;
  missing(packages.join(', '), ...packages);
  return false;
}

/** The terminal's background, which nothing else on the screen has. */
export const TERMINAL_COLOUR = 0xc01030;
/** Clicks that are no further apart are one to the terminal; generous, for what passes them on may be busy. */
export const MULTI_CLICK_MS = 1_000;
export const SCREEN = { width: 800, height: 600 };

/**
 * Fills the screen with one word, which a double click selects, and writes it anew, with another number, for each line
 * that is typed, which it keeps: a server need not send the same text twice.
 */
const TERMINAL = `typed=0
show() {
  printf '\\033[2J\\033[H'
  for row in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do echo "$1"; done
}
show ${wordAfter('${typed}')}
while read -r line; do
  typed=$((typed + 1))
  show ${wordAfter('${typed}')}
  echo "$line" >> "$LINES_FILE"
done`;

function wordAfter(linesTyped: number | string): string {
  return `word${linesTyped}${'fromthedesktop'.repeat(3)}`;
}

/** A VNC server with a window manager and a terminal on its screen, which keeps the lines that are typed into it. */
export interface RealDesktop extends AsyncDisposable {
  readonly port: number;
  /** Everything that was typed. */
  lines(): Promise<string>;
  /** What the terminal is full of by now. */
  word(): Promise<string>;
}

/** One whose size is changed from within, as by a program on the desktop. It cannot grow beyond {@link SCREEN}. */
export interface ResizingDesktop extends RealDesktop {
  resize(width: number, height: number): Promise<void>;
}

/** Xvnc of TigerVNC: X server and VNC server in one. */
export function startXtigervnc(): Promise<RealDesktop> {
  return startDesktop(async (programs) => {
    const { width, height } = SCREEN;
    const port = await freePort();
    const server = programs.run('Xtigervnc', [
      ...['-displayfd', '3', '-rfbport', String(port), '-geometry', `${width}x${height}`, '-depth', '24'],
      ...['-SecurityTypes', 'None', '-localhost', '-nolisten', 'tcp', '-noreset'],
    ]);
    return { port, display: await displayOf(server) };
  });
}

/** x11vnc (LibVNCServer), which looks at the screen of an X server that knows nothing of VNC. */
export async function startX11vnc(): Promise<ResizingDesktop> {
  let xrandr: (...args: string[]) => Promise<void> = () => Promise.resolve();
  const modes = new Set([modeOf(SCREEN.width, SCREEN.height)]);
  const desktop = await startDesktop(async (programs) => {
    const screen = `${SCREEN.width}x${SCREEN.height}x24`;
    const xvfb = ['-displayfd', '3', '-screen', '0', screen, '-nolisten', 'tcp', '-noreset'];
    const display = await displayOf(programs.run('Xvfb', xvfb));
    xrandr = (...options) => programs.run('xrandr', options, { DISPLAY: display }).done();
    const args = x11vncArguments(display, await freePort());
    // It takes clipboard texts some time after a display manager may have gone, unless it is told that there is none.
    const vnc = programs.run('x11vnc', args, { X11VNC_AVOID_WINDOWS: 'never' });
    return { display, port: Number(await vnc.says('stdout', /^PORT=(\d+)\n/m)) };
  });
  return {
    ...desktop,
    async resize(width, height) {
      const mode = modeOf(width, height);
      if (!modes.has(mode)) {
        modes.add(mode);
        const [x, y] = [String(width), String(height)];
        await xrandr('--newmode', mode, '10', x, x, x, x, y, y, y, y);
        await xrandr('--addmode', 'screen', mode);
      }
      await xrandr('--output', 'screen', '--mode', mode);
    },
  };
}

export function x11vncArguments(display: string, port: number): string[] {
  return [
    ...['-display', display, '-autoport', String(port), '-localhost', '-no6', '-noipv6'],
    // Segments of shared memory of an x11vnc that was killed stay until the machine is restarted.
    '-noshm',
    // What follows a dragged window would be sent when it is let go of only.
    ...['-shared', '-forever', '-nopw', '-norc', '-xrandr', '-nowireframe', '-noscrollcopyrect'],
  ];
}

const modeOf = (width: number, height: number): string => `${width}x${height}`;

interface Screen {
  readonly port: number;
  readonly display: string;
}

async function startDesktop(start: (programs: Programs) => Promise<Screen>): Promise<RealDesktop> {
  const programs = await Programs.start();
  try {
    const { port, display } = await start(programs);
    const linesFile = join(programs.folder, 'lines');
    const env = { DISPLAY: display, LINES_FILE: linesFile };
    // A window that asks to be shown while openbox starts is never shown: openbox has begun to decide over windows, and
    // loses what it was asked before it looked around.
    const manager = programs.run('openbox', ['--sm-disable', '--startup', 'echo ready'], env);
    await manager.says('stdout', /^ready$/m);
    const colour = `#${TERMINAL_COLOUR.toString(16)}`;
    const look = ['-geometry', '70x16+60+80', '-bg', colour, '-fg', 'white', '-fn', 'fixed'];
    const clicks = ['-xrm', `XTerm*multiClickTime: ${MULTI_CLICK_MS}`];
    programs.run('xterm', [...look, ...clicks, '-e', 'sh', '-c', TERMINAL], env);
    const lines = (): Promise<string> => readFile(linesFile, 'utf8').catch(() => '');
    return {
      port,
      lines,
      word: async () => wordAfter((await lines()).split('\n').length - 1),
      [Symbol.asyncDispose]: () => programs[Symbol.asyncDispose](),
    };
  } catch (error) {
    await programs[Symbol.asyncDispose]();
    throw error;
  }
}

/** The display that an X server has chosen, which it writes when it takes connections. */
async function displayOf(server: Program): Promise<string> {
  return `:${await server.says('fd3', /^(\d+)\n/)}`;
}
