import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Most output of a child that is kept, in characters; the oldest goes first. */
const KEPT_CHARS = 64 * 1024;
const root = fileURLToPath(new URL('../../../', import.meta.url));
/** Where we are killed ourselves, what we started must not go on for ever. */
const LEASH = existsSync('/usr/bin/setpriv') ? ['/usr/bin/setpriv', '--pdeathsig', 'KILL'] : [];

/** A process that runs one of our TypeScript files. */
export class Child {
  readonly exited: Promise<void>;
  #output = '';
  /** How it ended; undefined while it has not. */
  #end: string | undefined;
  readonly #process: ChildProcess;
  readonly #waiting = new Set<() => void>();

  /** @param file from the root of the checkout */
  constructor(
    readonly name: string,
    file: string,
    env: Readonly<Record<string, string>>,
  ) {
    const [program, ...args] = [...LEASH, process.execPath];
    const source = ['--conditions=@streamspace/source', '--import', 'tsx', file];
    this.#process = spawn(program!, [...args, ...source], {
      cwd: root,
      env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '/tmp', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-KEPT_CHARS);
        this.#changed();
      });
    this.exited = new Promise((resolve) => {
      const down = (how: string): void => {
        this.#end = how;
        this.#changed();
        resolve();
      };
      this.#process
        .once('error', (error) => down(error.message))
        .once('close', (code, signal) => down(signal ?? `exit code ${code}`));
    });
  }

  get output(): string {
    return this.#output;
  }

  /** How it ended; undefined while it runs. */
  get end(): string | undefined {
    return this.#end;
  }

  /** The first match in what it has printed; rejects when it ends without, or after `limitMs`. */
  async printed(pattern: RegExp, limitMs: number): Promise<RegExpExecArray> {
    const deadline = performance.now() + limitMs;
    for (;;) {
      const match = pattern.exec(this.#output);
      if (match) return match;
      const leftMs = deadline - performance.now();
      if (this.#end !== undefined || leftMs <= 0) {
        const how = this.#end === undefined ? `after ${limitMs} ms` : `and ended (${this.#end})`;
        throw new Error(`${this.name} did not print ${String(pattern)} ${how}:\n${this.#output}`);
      }
      await this.#change(leftMs);
    }
  }

  /** Without a word to it; resolves when it is gone. */
  kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    return this.exited;
  }

  /** Asks it to stop; resolves when it is gone. */
  stop(): Promise<void> {
    this.#process.kill('SIGTERM');
    return this.exited;
  }

  #change(limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => done(), limitMs);
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      this.#waiting.add(done);
    });
  }

  #changed(): void {
    for (const done of this.#waiting) done();
  }
}
