import { BenchProcess } from './processes.js';
import type { Download } from './measure.js';
import { Websockify } from './websockify.js';

/** A process whose CPU time counts. */
interface Relay {
  cpuMicroseconds(): Promise<number>;
  stop(): Promise<void>;
}

export type PathId = 'raw' | 'tunnel' | 'binary' | 'json' | 'websockify';

/** One way from a viewer to the origin, and what was measured on it, a value for each round. */
export interface Path {
  readonly id: PathId;
  readonly name: string;
  readonly url: string;
  readonly relays: readonly Relay[];
  readonly downloads: Download[];
  readonly echoes: number[][];
  readonly besideEchoes: number[][];
}

export interface Paths {
  readonly originPort: number;
  readonly all: readonly Path[];
  /** Rows that cannot be measured here, and why. */
  readonly missing: readonly { path: string; why: string }[];
  stop(): Promise<void>;
}

export async function startPaths(): Promise<Paths> {
  const started: Relay[] = [];
  const start = async (name: string, ...args: (string | number)[]): Promise<BenchProcess> => {
    const child = await BenchProcess.start(name, ...args);
    started.push(child);
    return child;
  };
  const stop = async (): Promise<void> => {
    await Promise.all(started.map((child) => child.stop()));
  };
  const path = (id: PathId, name: string, url: string, ...relays: Relay[]): Path => ({
    id,
    name,
    url,
    relays,
    downloads: [],
    echoes: [],
    besideEchoes: [],
  });
  try {
    const origin = await start('origin');
    const rawRelay = await start('raw-relay', origin.port);
    const controlPlane = await start('control-plane');
    const agent = await start('agent', controlPlane.port, origin.port);
    const muxed = async (codec: 'binary' | 'json', name: string): Promise<Path> => {
      const front = await start('mux-control-plane', codec);
      const back = await start('mux-agent', codec, front.port, origin.port);
      return path(codec, name, `ws://127.0.0.1:${front.port}/viewer`, front, back);
    };
    const all = [
      path('raw', 'raw relay, one hop', `ws://127.0.0.1:${rawRelay.port}/`, rawRelay),
      path('tunnel', 'tunnel, two hops', `ws://127.0.0.1:${controlPlane.port}/viewer`, controlPlane, agent),
      await muxed('binary', 'naive binary frames, two hops'),
      await muxed('json', 'base64 in JSON, two hops'),
    ];
    const missing: { path: string; why: string }[] = [];
    const websockify = 'websockify, one hop';
    if (Websockify.isInstalled()) {
      const relay = await Websockify.start(origin.port);
      started.push(relay);
      all.push(path('websockify', websockify, `ws://127.0.0.1:${relay.port}/`, relay));
    } else missing.push({ path: websockify, why: 'not installed: apt-get install websockify' });
    return { originPort: origin.port, all, missing, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
