import { once } from 'node:events';
import { WebSocket } from 'ws';
import { BenchProcess } from './processes.js';

/** Of a blast, bytes that come in before counting starts: the connection and its code are warm by then. */
const SKIPPED_BYTES = 16 * 1024 * 1024;
/** Of an echo, round trips before counting starts. */
const SKIPPED_ECHOES = 100;
/** Round trips that count, at least: a slow path takes longer than it was given. */
const LEAST_ECHOES = 10;
const ECHO_BYTES = 64;

async function connect(url: string, first: Uint8Array): Promise<WebSocket> {
  const ws = new WebSocket(url, { perMessageDeflate: false });
  await once(ws, 'open');
  ws.send(first);
  return ws;
}

async function disconnect(ws: WebSocket): Promise<void> {
  const closed = once(ws, 'close');
  ws.terminate();
  await closed;
}

export interface Download {
  bytes: number;
  seconds: number;
  /** CPU time of the relaying processes meanwhile, in seconds. */
  cpuSeconds: number;
}

/** Downloads one stream for about `seconds`. */
export async function download(
  url: string,
  seconds: number,
  cpuMicroseconds: () => Promise<number>,
): Promise<Download> {
  const ws = await connect(url, Buffer.from('B'));
  let total = 0;
  let warm: (() => void) | undefined;
  const isWarm = new Promise<void>((resolve) => (warm = resolve));
  ws.on('message', (data: Buffer) => {
    total += data.length;
    if (total >= SKIPPED_BYTES) warm?.();
  });
  await Promise.race([isWarm, cutOff(ws)]);
  const cpuBefore = await cpuMicroseconds();
  const bytesBefore = total;
  const start = performance.now();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const bytes = total - bytesBefore;
  const elapsed = (performance.now() - start) / 1000;
  const cpuSeconds = ((await cpuMicroseconds()) - cpuBefore) / 1e6;
  await disconnect(ws);
  return { bytes, seconds: elapsed, cpuSeconds };
}

/** Sends 64 bytes and waits for them, one after the other, for about `seconds`; the times are in µs. */
export async function echo(url: string, seconds: number, skip = SKIPPED_ECHOES): Promise<number[]> {
  const message = Buffer.alloc(ECHO_BYTES, 'e');
  const ws = await connect(url, message);
  const times: number[] = [];
  const end = performance.now() + seconds * 1000;
  let skipped = 0;
  let sent = performance.now();
  let got = 0;
  const finished = new Promise<void>((resolve) => {
    ws.on('message', (data: Buffer) => {
      got += data.length;
      if (got < ECHO_BYTES) return;
      got = 0;
      const now = performance.now();
      if (skipped < skip) skipped++;
      else times.push((now - sent) * 1000);
      if (now >= end && times.length >= LEAST_ECHOES) return resolve();
      sent = performance.now();
      ws.send(message);
    });
  });
  await Promise.race([finished, cutOff(ws)]);
  await disconnect(ws);
  return times;
}

/** The same while another viewer downloads through the same path as fast as it can. */
export async function echoBesideDownload(url: string, seconds: number): Promise<number[]> {
  const bulk = await BenchProcess.start('bulk-viewer', url);
  try {
    return await echo(url, seconds, 0);
  } finally {
    await bulk.stop();
  }
}

async function cutOff(ws: WebSocket): Promise<never> {
  const [code] = (await once(ws, 'close')) as [number];
  throw new Error(`${ws.url} was closed with ${code}`);
}
