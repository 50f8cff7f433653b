import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Machine } from './machine.js';

/** One `npm start`, in a process group of its own and with its standard input closed. */
export class StartCommand {
  readonly startedAt = performance.now();
  readonly exited: Promise<number | NodeJS.Signals>;
  #output = '';
  readonly #child: ChildProcess;

  constructor(machine: Machine, env: Readonly<Record<string, string>>, command = 'npm start') {
    // Where the tests are killed themselves, what they started must not go on for ever.
    const leash = existsSync('/usr/bin/setpriv') ? 'setpriv --pdeathsig TERM ' : '';
    this.#child = spawn('sh', ['-c', `exec ${leash}${command} <&-`], {
      cwd: machine.clone,
      env: { ...machine.environment, ...env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...machine.user,
    });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => (this.#output += text));
    this.exited = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code, signal) => resolve(code ?? signal ?? 'SIGKILL'));
    });
  }

  get output(): string {
    return this.#output;
  }

  /** What was printed by us: without what npm says of itself. */
  get lines(): string[] {
    return this.#output
      .split('\n')
      .filter((line) => line !== '' && !/^(> |npm (warn|error|notice))/.test(line));
  }

  /** npm's process. */
  get npm(): number {
    if (this.#child.pid === undefined) throw new Error('npm was not started');
    return this.#child.pid;
  }

  /** The process that serves: the one that npm started. */
  get node(): number {
    const child = this.processes().find(({ parent }) => parent === this.npm);
    if (!child) throw new Error(`npm has started nothing (yet):\n${this.#output}`);
    return child.pid;
  }

  /** Every living process that this command started, npm included. */
  processes(): { pid: number; parent: number; name: string }[] {
    return allProcesses().filter(({ group }) => group === this.npm);
  }

  seconds(): number {
    return (performance.now() - this.startedAt) / 1000;
  }

  /** The address that it ends with, once it is there. */
  async address(limitMs: number): Promise<URL> {
    let found: RegExpExecArray | null = null;
    const ended = this.exited.then(() => 'ended');
    await until(
      async () => {
        found = /^Open this: (\S+)$/m.exec(this.#output);
        return found !== null || (await Promise.race([ended, sleep(20)])) === 'ended';
      },
      limitMs,
      () => `no "Open this:" within ${limitMs / 1000} s:\n${this.#output}`,
    );
    const address = (found as RegExpExecArray | null)?.[1];
    if (address === undefined) throw new Error(`ended without "Open this:":\n${this.#output}`);
    return new URL(address);
  }

  /** Sends a signal to npm alone, as a service manager does. */
  signal(name: NodeJS.Signals): void {
    process.kill(this.npm, name);
  }

  /** As the terminal does when Ctrl-C is typed: to every process. */
  interrupt(): void {
    process.kill(-this.npm, 'SIGINT');
  }

  /** For the end of a test that failed. */
  async destroy(): Promise<void> {
    for (const { pid } of this.processes()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
    await this.exited;
  }
}

/** Looks again until it is so. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  limitMs: number,
  otherwise: () => string,
): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(otherwise());
    await sleep(20);
  }
}

function allProcesses(): { pid: number; parent: number; group: number; name: string }[] {
  return readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
      const [state, parent, group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (state === 'Z') return [];
      return [{ pid: Number(entry), parent: Number(parent), group: Number(group), name }];
    } catch {
      // It ended while we looked.
      return [];
    }
  });
}
