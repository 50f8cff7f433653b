import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Change, Platform, SessionSpec } from '@streamspace/agent-core';
import {
  localPlatform,
  missingForXDesktop,
  xDesktopTemplate,
  type XDesktopOptions,
} from '@streamspace/platform-local';
import { connectRfb, Keysym, keysymOf, type RfbClient } from '@streamspace/rfb';
import { missing } from '../../servers/missing.js';

export const never: AbortSignal = new AbortController().signal;

/** Whether an X desktop can be run. A strict run must be able to. */
export function hasXDesktops(): boolean {
  const programs = missingForXDesktop();
  if (programs.length === 0) return true;
  missing(programs.join(', '), 'tigervnc-standalone-server', 'openbox', 'xterm');
  return false;
}

/** The terminal's background, which nothing else on the screen has. */
const TERMINAL_COLOUR = 0xc01030;
const TERMINAL = ['xterm', '-geometry', '80x20+40+60', '-bg', '#c01030', '-fg', 'white', '-fn', 'fixed'];

export const manifestOf = (commands: readonly (readonly string[])[], more: object = {}) => ({
  ...xDesktopTemplate,
  spec: { ...xDesktopTemplate.spec, commands, ...more },
});
export const terminalManifest = manifestOf([['openbox', '--sm-disable'], TERMINAL]);

export function spec(sessionId: string, more: Partial<SessionSpec> = {}): SessionSpec {
  const { name } = xDesktopTemplate.metadata;
  const screen = { width: 800, height: 600 };
  return {
    sessionId,
    generation: 1,
    user: 'ada',
    template: name,
    manifest: terminalManifest,
    screen,
    ...more,
  };
}

export const change = (commandId = 'command', generation = 1): Change => ({ commandId, generation });

/** A data folder, the platforms on it, and a look at everything that they may leave behind. */
export class Place implements AsyncDisposable {
  readonly errors: string[] = [];
  readonly #platforms: Platform[] = [];

  private constructor(readonly dataFolder: string) {}

  static async make(): Promise<Place> {
    const folder = await mkdtemp(join(tmpdir(), 'x-desktops-'));
    await mkdir(join(folder, 'data'));
    return new Place(join(folder, 'data'));
  }

  /** Another agent. The one before it gets no chance to tidy up. */
  agent(xDesktops: XDesktopOptions = {}): Platform {
    const platform = localPlatform({
      dataFolder: this.dataFolder,
      xDesktops: { graceMs: 1_000, pollMs: 50, ...xDesktops },
      onError: (error, where) => this.errors.push(`${where}: ${String(error)}`),
    });
    this.#platforms.push(platform);
    return platform;
  }

  home(sessionId: string, ...path: string[]): string {
    return join(this.dataFolder, 'homes', sessionId, ...path);
  }

  /** Processes that carry this place's mark, as `<pid> <program> of <session>`. */
  async processes(sessionId?: string): Promise<string[]> {
    const id = await readFile(join(this.dataFolder, 'sessions', '.platform-id'), 'utf8').catch(() => 'none');
    const lines: string[] = [];
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      const variables = environmentOf(pid);
      const session = variables['STREAMSPACE_SESSION_ID'];
      if (variables['STREAMSPACE_PLATFORM_ID'] !== id || (sessionId && session !== sessionId)) continue;
      const program = await readlink(`/proc/${pid}/exe`).catch(() => 'a process that ends');
      lines.push(`${pid} ${program} of ${session}`);
    }
    return lines;
  }

  /** All that sessions hold besides their homes: processes, records, sockets; and displays whose server is gone. */
  async leftovers(displays: readonly number[] = []): Promise<string[]> {
    const records = await readdir(join(this.dataFolder, 'sessions')).catch(() => []);
    const sockets = await readdir(join(this.dataFolder, 'vnc')).catch(() => []);
    const stale = displays.flatMap((display) =>
      [`/tmp/.X${display}-lock`, `/tmp/.X11-unix/X${display}`].filter((path) => isOurs(path, display)),
    );
    return [
      ...(await this.processes()),
      ...records.filter((name) => !name.startsWith('.')),
      ...sockets,
      ...stale,
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const platform of this.#platforms) await platform.close?.();
    const last = localPlatform({ dataFolder: this.dataFolder, xDesktops: { graceMs: 200 } });
    for (const { sessionId, generation } of await last.list(never)) {
      await last.stop(sessionId, change('clean-up', generation), never);
    }
    await last.close?.();
    await rm(join(this.dataFolder, '..'), { recursive: true, force: true });
  }
}

/** A display's file is a leftover unless another X server, which lives, has it by now. */
function isOurs(path: string, display: number): boolean {
  if (!existsSync(path)) return false;
  try {
    const pid = Number(readFileSync(`/tmp/.X${display}-lock`, 'latin1'));
    return !existsSync(`/proc/${pid}`);
  } catch {
    return true;
  }
}

export function environmentOf(pid: string | number): Record<string, string> {
  try {
    const text = readFileSync(`/proc/${pid}/environ`, 'latin1');
    return Object.fromEntries(
      text
        .split('\0')
        .filter(Boolean)
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
  } catch {
    return {};
  }
}

export const displayOf = (session: { details?: Readonly<Record<string, unknown>> } | undefined): number =>
  Number(String(session?.details?.['display']).slice(1));

/** Somebody at a desktop who sees its terminal. */
export async function sitDown(platform: Platform, sessionId: string): Promise<RfbClient> {
  const client = await connectRfb(await platform.openStream(sessionId, 'vnc', never));
  await client.request(false);
  await client.nextUpdate();
  while (!client.framebuffer.pixels.includes(TERMINAL_COLOUR)) {
    await client.request(true);
    await client.nextUpdate();
  }
  return client;
}

export async function type(client: RfbClient, text: string): Promise<void> {
  for (const character of text) {
    const keysym = character === '\n' ? Keysym.enter : keysymOf(character);
    await client.key(true, keysym);
    await client.key(false, keysym);
  }
}

/**
 * Types a command into the terminal until its effect is seen: the window manager may not have given it the keyboard
 * yet, and nobody can tell from outside.
 */
export async function run(
  client: RfbClient,
  command: string,
  done: () => boolean | Promise<boolean>,
): Promise<void> {
  const { width, pixels } = client.framebuffer;
  const at = pixels.indexOf(TERMINAL_COLOUR) + 20 * width + 20;
  let typedAt = -Infinity;
  await until(async () => {
    if (await done()) return true;
    if (performance.now() - typedAt > 1_500) {
      for (const buttons of [0, 1, 0]) await client.pointer(buttons, at % width, Math.floor(at / width));
      await type(client, `\n${command}\n`);
      typedAt = performance.now();
    }
    return false;
  }, `the effect of ${command}`);
}

export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  limitMs = 20_000,
): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`${what} did not come within ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
}
