import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { TunnelStats } from '@streamspace/vnc-tunnel';
import { WebSocket } from 'ws';
import type { Wire } from './tunnel-pair.js';

export type Question = 'state' | 'state after collection' | 'stop';
export interface State {
  /** JavaScript heap and what is held outside of it (the bytes of buffers). */
  heldBytes: number;
  rss: number;
  stats?: TunnelStats;
}
export type Answer = { port: number } | State;

/** A control plane and an agent, each a process of its own; viewers are here. */
export class TunnelStage {
  readonly #viewers = new Set<WebSocket>();

  private constructor(
    private readonly controlPlane: Child,
    private readonly agent: Child,
    private readonly wire: Wire | undefined,
  ) {}

  /** @param wire what lies between the agent and the control plane; it is closed by `stop` */
  static async start(kind: 'tunnel' | 'naive' = 'tunnel', wire?: Wire): Promise<TunnelStage> {
    const controlPlane = await Child.start('control-plane', kind);
    const port = (await wire?.lead(controlPlane.port)) ?? controlPlane.port;
    return new TunnelStage(controlPlane, await Child.start('agent', kind, String(port)), wire);
  }

  controlPlaneState(question?: Question): Promise<State> {
    return this.controlPlane.state(question);
  }

  agentState(): Promise<State> {
    return this.agent.state();
  }

  /** A viewer of a session that echoes, or sends without end. */
  async view(session: 'echo' | 'blast'): Promise<WebSocket> {
    const ws = new WebSocket(`ws://127.0.0.1:${this.controlPlane.port}/viewer/${session}`, {
      perMessageDeflate: false,
    });
    this.#viewers.add(ws);
    await once(ws, 'open');
    return ws;
  }

  /** A process that reads a session which sends without end; resolves when bytes flow fast. */
  async startBulkViewer(): Promise<{ stop(): Promise<void> }> {
    return Child.start('bulk-viewer', 'any', String(this.controlPlane.port));
  }

  /** A viewer of a session that sends without end, which reads nothing. */
  async viewStalled(): Promise<WebSocket> {
    const ws = await this.view('blast');
    ws.pause();
    return ws;
  }

  /** Resolves when no byte has come to the control plane for so many ms: whoever stalls has stalled. */
  async quiet(forMs = 120): Promise<void> {
    let before = -1;
    for (let since = performance.now(); performance.now() - since < forMs;) {
      const now = (await this.controlPlaneState()).stats?.bytesReceived ?? 0;
      if (now !== before) since = performance.now();
      before = now;
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
  }

  async leave(ws: WebSocket): Promise<void> {
    this.#viewers.delete(ws);
    if (ws.readyState === ws.CLOSED) return;
    ws.terminate();
    await once(ws, 'close');
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#viewers].map((ws) => this.leave(ws)));
    await Promise.all([this.agent.stop(), this.controlPlane.stop()]);
    await this.wire?.close();
  }
}

class Child {
  private constructor(
    private readonly child: ChildProcess,
    readonly port: number,
  ) {}

  static async start(...args: string[]): Promise<Child> {
    const child = fork(fileURLToPath(new URL('./tunnel-process.ts', import.meta.url)), args, {
      execArgv: ['--conditions=@streamspace/source', '--import', 'tsx', '--expose-gc'],
    });
    const answer = await next(child);
    if (!('port' in answer)) throw new Error(`${args.join(' ')} did not report its port`);
    return new Child(child, answer.port);
  }

  async state(question: Question = 'state'): Promise<State> {
    const answering = next(this.child);
    this.child.send(question);
    const answer = await answering;
    if ('port' in answer) throw new Error('the child did not report its state');
    return answer;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, 'exit');
    this.child.send('stop' satisfies Question);
    await exited;
  }
}

async function next(child: ChildProcess): Promise<Answer> {
  const settled = new AbortController();
  const { signal } = settled;
  const exit = once(child, 'exit', { signal }).then(([code]) => {
    throw new Error(`a child ended with code ${String(code)}`);
  });
  try {
    return await Promise.race([
      once(child, 'message', { signal }).then(([answer]) => answer as Answer),
      exit,
    ]);
  } finally {
    exit.catch(() => {});
    settled.abort();
  }
}

/**
 * Sends 64 bytes and waits until they are back, again and again: `times` over, or for `forMs`.
 *
 * @returns the round trips in ms
 */
export async function echo(
  ws: WebSocket,
  { times = Infinity, forMs = Infinity }: { times?: number; forMs?: number },
): Promise<number[]> {
  const message = Buffer.alloc(64, 'e');
  const took: number[] = [];
  const end = performance.now() + forMs;
  while (took.length < times && performance.now() < end) {
    const start = performance.now();
    let got = 0;
    await new Promise<void>((resolve) => {
      const onMessage = (bytes: Buffer): void => {
        got += bytes.length;
        if (got < message.length) return;
        ws.off('message', onMessage);
        resolve();
      };
      ws.on('message', onMessage);
      ws.send(message);
    });
    took.push(performance.now() - start);
  }
  return took;
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? NaN;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** Jain's fairness index: 1 when all have the same, 1/n when one has all. */
export function jain(values: readonly number[]): number {
  const sum = values.reduce((a, b) => a + b, 0);
  return sum ** 2 / (values.length * values.reduce((a, b) => a + b * b, 0));
}
