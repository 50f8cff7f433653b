import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Answer, Memory, Question } from './child.js';

/** How long a child may take to start, to answer and to stop, in ms. */
const PATIENCE_MS = 15_000;

const running = new Set<ChildProcess>();
// A runner that dies closes the IPC channel, at which its children end; this is for a runner that ends in order.
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** One process of a path under test. */
export class BenchProcess {
  private constructor(
    private readonly child: ChildProcess,
    readonly port: number,
  ) {}

  /** Starts `<name>.ts` of this folder and waits until it listens. */
  static async start(name: string, ...args: (string | number)[]): Promise<BenchProcess> {
    const child = fork(fileURLToPath(new URL(`./${name}.ts`, import.meta.url)), args.map(String), {
      execArgv: ['--conditions=@streamspace/source', '--import', 'tsx', '--expose-gc'],
    });
    running.add(child);
    child.once('exit', () => running.delete(child));
    const answer = await next(child, name);
    if (!('port' in answer)) throw new Error(`${name} did not report its port`);
    return new BenchProcess(child, answer.port);
  }

  /** User and system time since its start, in µs. */
  async cpuMicroseconds(): Promise<number> {
    this.child.send('cpu' satisfies Question);
    const answer = await next(this.child, 'a child');
    if (!('cpuMicroseconds' in answer)) throw new Error('a child did not report its CPU time');
    return answer.cpuMicroseconds;
  }

  async memory(): Promise<Memory> {
    this.child.send('memory' satisfies Question);
    const answer = await next(this.child, 'a child');
    if (!('heldBytes' in answer)) throw new Error('a child did not report its memory');
    return answer;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, 'exit');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), PATIENCE_MS);
    this.child.send('stop' satisfies Question);
    await exited;
    clearTimeout(timer);
  }
}

function next(child: ChildProcess, name: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer);
      child.off('message', onMessage).off('exit', onExit);
    };
    const onMessage = (answer: unknown): void => {
      settle();
      resolve(answer as Answer);
    };
    const onExit = (code: number | null): void => {
      settle();
      reject(new Error(`${name} ended with code ${code}`));
    };
    const timer = setTimeout(() => {
      settle();
      reject(new Error(`${name} did not answer within ${PATIENCE_MS} ms`));
    }, PATIENCE_MS);
    child.on('message', onMessage).on('exit', onExit);
  });
}
