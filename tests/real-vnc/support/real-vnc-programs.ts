import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

/** How long a program has to say that it is ready, in ms. */
const READY_MS = 30_000;
/** How long a program has to end when it is asked to, in ms; then it is killed. */
const END_MS = 2_000;
/** What is kept of each stream of what a program says, in characters. */
const KEPT_CHARS = 4_000;

/** A program that runs until it is stopped. */
export interface Program {
  /**
   * The first match of what it wrote to a stream. Rejects, with what it complained of, where it ends before that or
   * takes longer than {@link READY_MS}.
   */
  says(stream: 'stdout' | 'fd3', pattern: RegExp): Promise<string>;
  /** Its exit. Rejects where that is not 0. */
  done(): Promise<void>;
}

/** Programs that share a folder as their home, and are stopped together, the last first. */
export class Programs implements AsyncDisposable {
  readonly folder: string;
  readonly #children: ChildProcess[] = [];

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async start(): Promise<Programs> {
    return new Programs(await mkdtemp(join(tmpdir(), 'streamspace-vnc-')));
  }

  run(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Program {
    // A run that is killed leaves nothing behind.
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', program, ...args], {
      env: { PATH: process.env['PATH'] ?? '', HOME: this.folder, ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
    const exited = exitOf(child);
    this.#children.push(child);
    const [, stdout, stderr, fd3] = child.stdio.map((stream) => new Tail(stream as Readable | null));
    const failed = (what: string): Error => new Error(`${program} ${what}; it complains: ${stderr?.text}`);
    return {
      async says(stream, pattern) {
        const late = new AbortController();
        const timer = setTimeout(() => late.abort(failed(`did not say ${pattern} in time`)), READY_MS);
        void exited.then((how) => late.abort(failed(`ended with ${how} before it said ${pattern}`)));
        try {
          const tail = stream === 'fd3' ? fd3 : stdout;
          return (await tail?.match(pattern, late.signal)) ?? '';
        } finally {
          clearTimeout(timer);
        }
      },
      async done() {
        const how = await exited;
        if (how !== '0') throw failed(`ended with ${how}`);
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children.reverse()) await end(child);
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** The last of what came on a stream. */
class Tail {
  text = '';
  #changed: () => void = () => undefined;

  constructor(stream: Readable | null) {
    stream?.setEncoding('utf8').on('data', (part: string) => {
      this.text = (this.text + part).slice(-KEPT_CHARS);
      this.#changed();
    });
  }

  /** What the pattern's first group is, or all that it matches. Rejects with the signal's reason. */
  match(pattern: RegExp, signal: AbortSignal): Promise<string> {
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      this.#changed = () => {
        const found = pattern.exec(this.text);
        if (found) resolve(found[1] ?? found[0]);
      };
      this.#changed();
    });
  }
}

/** Exit code or signal; never rejects. */
async function exitOf(child: ChildProcess): Promise<string> {
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
    return String(code ?? signal);
  } catch (error) {
    return String(error);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const patience = setTimeout(() => child.kill('SIGKILL'), END_MS);
  await gone;
  clearTimeout(patience);
}
