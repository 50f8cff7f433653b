import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('lock-process.mjs', import.meta.url));

/** A new host name, or a new PID namespace, for a process: what a container has. */
export type Namespace = 'uts' | 'pid';

const AS_ROOT = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
const COMMANDS: Readonly<Record<Namespace, readonly string[]>> = {
  uts: [...AS_ROOT, '--uts', 'sh', '-c', 'hostname another-host && exec "$@"', 'sh'],
  pid: [...AS_ROOT, '--pid', '--fork', '--mount-proc', '--kill-child'],
};

/** Whether this user may make namespaces. */
export const hasNamespaces = (['uts', 'pid'] as const).every(
  (one) => spawnSync('unshare', [...COMMANDS[one], 'true']).status === 0,
);

/** A command in a namespace of its own; without a namespace, the command. */
export function within(namespace: Namespace | undefined, command: readonly string[]): [string, ...string[]] {
  const [program, ...rest] = namespace ? ['unshare', ...COMMANDS[namespace], ...command] : command;
  return [program!, ...rest];
}

/** The process of a command that was started in a namespace: `unshare` itself, or its child in a PID namespace. */
export function innerPid(child: ChildProcess, namespace: Namespace | undefined): number {
  if (namespace !== 'pid') return child.pid!;
  return Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim());
}

export interface LockProcessOptions {
  readonly leaseMs: number;
  readonly waitMs?: number;
  readonly namespace?: Namespace;
  /** Its lock says that it was taken on another machine. */
  readonly elsewhere?: boolean;
}

/** A process that takes a lock and does as it is told. */
export class LockProcess {
  readonly child: ChildProcess;
  readonly lines: string[] = [];
  readonly exited: Promise<unknown>;
  readonly #namespace: Namespace | undefined;
  #heard: () => void = () => undefined;

  constructor(path: string, options: LockProcessOptions) {
    const { leaseMs, waitMs = 0, namespace, elsewhere = false } = options;
    this.#namespace = namespace;
    const own = [process.execPath, PROGRAM, path, String(leaseMs), String(waitMs)];
    const [command, ...args] = within(namespace, [...own, elsewhere ? 'elsewhere' : 'here']);
    // `unshare` complains when it is killed together with its child.
    this.child = spawn(command, args, {
      stdio: ['pipe', 'pipe', namespace === 'pid' ? 'ignore' : 'inherit'],
    });
    this.exited = once(this.child, 'exit');
    this.child.stdin!.on('error', () => undefined);
    createInterface(this.child.stdout!).on('line', (line) => {
      this.lines.push(line);
      this.#heard();
    });
    void this.exited.then(() => this.#heard());
  }

  get isOver(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Resolves with the first line that begins so; rejects when the process ends without it. */
  async says(start: string): Promise<string> {
    for (;;) {
      const line = this.lines.find((one) => one.startsWith(start));
      if (line !== undefined) return line;
      if (this.isOver && this.child.stdout!.readableEnded)
        throw new Error(`ended without "${start}": ${this.lines.join(', ')}`);
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
        if (this.isOver) setImmediate(resolve);
      });
    }
  }

  tell(order: string): void {
    this.child.stdin!.write(`${order}\n`);
  }

  signal(name: NodeJS.Signals): void {
    process.kill(innerPid(this.child, this.#namespace), name);
  }

  async kill(): Promise<void> {
    if (this.isOver) return;
    // A stopped process inside ends with `unshare`.
    if (this.#namespace === 'pid') this.signal('SIGKILL');
    else this.child.kill('SIGKILL');
    await this.exited;
  }
}
