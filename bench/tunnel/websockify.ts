import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { delimiter, join } from 'node:path';
import { freePort } from '../../tests/servers/free-port.js';

/** How long it may take to listen, in ms. */
const PATIENCE_MS = 10_000;
/** Of /proc/<pid>/stat, in hertz: fixed by the kernel's interface. */
const TICKS_PER_SECOND = 100;

/** Debian's package of this name, where it is installed already; nothing is installed for it. */
export class Websockify {
  private constructor(
    private readonly child: ChildProcess,
    readonly port: number,
  ) {}

  static isInstalled(): boolean {
    const folders = (process.env['PATH'] ?? '').split(delimiter);
    return folders.some((folder) => folder !== '' && existsSync(join(folder, 'websockify')));
  }

  static async start(originPort: number): Promise<Websockify> {
    const port = await freePort();
    const child = spawn('websockify', [`127.0.0.1:${port}`, `127.0.0.1:${originPort}`], { stdio: 'ignore' });
    process.once('exit', () => child.kill('SIGKILL'));
    const started = new Websockify(child, port);
    const deadline = performance.now() + PATIENCE_MS;
    while (!(await answers(port))) {
      if (child.exitCode !== null) throw new Error(`websockify ended with code ${child.exitCode}`);
      if (performance.now() > deadline) throw new Error(`websockify did not listen within ${PATIENCE_MS} ms`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return started;
  }

  /** User and system time of it and of the processes that it forked, one for each viewer, in µs. */
  cpuMicroseconds(): Promise<number> {
    const stats = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((pid) => readStat(pid) ?? []);
    const family = new Set([this.child.pid]);
    for (let grew = true; grew;) {
      const before = family.size;
      for (const { pid, parent } of stats) if (family.has(parent)) family.add(pid);
      grew = family.size > before;
    }
    const ticks = stats.filter(({ pid }) => family.has(pid)).reduce((sum, stat) => sum + stat.ticks, 0);
    return Promise.resolve((ticks / TICKS_PER_SECOND) * 1e6);
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 1_000);
    await exited;
    clearTimeout(timer);
  }
}

function readStat(pid: string): { pid: number; parent: number; ticks: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything; the numbers are behind it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [, parent] = fields;
    return { pid: Number(pid), parent: Number(parent), ticks: Number(fields[11]) + Number(fields[12]) };
  } catch {
    return undefined;
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}
