import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../../apps/control-plane/src/main.ts', import.meta.url));

export interface EmbeddedAppOptions {
  readonly dataFolder: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** What the app's command is started with, for example `unshare --pid`. */
  readonly before?: readonly string[];
  /** Path of a module that is loaded before the app. */
  readonly preload?: string;
}

/** The control plane's app in embedded mode, as a process. */
export class EmbeddedApp {
  readonly child: ChildProcess;
  readonly lines: string[] = [];
  readonly closed: Promise<unknown>;
  #heard: () => void = () => undefined;

  constructor({ dataFolder, environment = {}, before = [], preload }: EmbeddedAppOptions) {
    const modules = ['tsx', ...(preload === undefined ? [] : [preload])];
    const imports = modules.flatMap((module) => ['--import', module]);
    const command = [process.execPath, '--conditions=@streamspace/source', ...imports, MAIN];
    const [program, ...args] = [...before, ...command];
    this.child = spawn(program!, args, {
      env: { PATH: process.env['PATH'], PORT: '0', STREAMSPACE_DATA_DIR: dataFolder, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      createInterface(stream).on('line', (line) => {
        this.lines.push(line);
        this.#heard();
      });
    }
    this.closed = once(this.child, 'close').then(() => this.#heard());
  }

  get output(): string {
    return this.lines.join('\n');
  }

  /** Resolves with the first group of a line that matches; rejects when the app ends without it. */
  async says(pattern: RegExp): Promise<string> {
    let isClosed = false;
    void this.closed.then(() => (isClosed = true));
    for (;;) {
      for (const line of this.lines) {
        const match = pattern.exec(line);
        if (match) return match[1] ?? match[0];
      }
      if (isClosed) throw new Error(`the app ended without ${pattern}: ${this.output}`);
      await new Promise<void>((resolve) => (this.#heard = resolve));
      // So that the end is known where it is what was heard.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    await this.closed;
  }
}
