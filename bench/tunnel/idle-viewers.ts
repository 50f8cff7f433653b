import { once } from 'node:events';
import { WebSocket } from 'ws';
import { BenchProcess } from './processes.js';

/** Viewers that connect side by side. */
const AT_ONCE = 50;
/** Those that come before counting starts: code and pools are there by then. */
const WARM_UP = 50;

export interface IdleViewers {
  viewers: number;
  /** In the control plane, for each viewer: heap and buffers after a collection, and resident memory. */
  heldBytesEach: number;
  rssBytesEach: number;
}

/** What viewers cost the control plane that are connected, have got something, and do nothing. */
export async function idleViewers(originPort: number, viewers: number): Promise<IdleViewers> {
  const controlPlane = await BenchProcess.start('control-plane');
  const agent = await BenchProcess.start('agent', controlPlane.port, originPort);
  const sockets: WebSocket[] = [];
  const url = `ws://127.0.0.1:${controlPlane.port}/viewer`;
  const join = async (): Promise<void> => {
    const ws = new WebSocket(url, { perMessageDeflate: false });
    sockets.push(ws);
    await once(ws, 'open');
    const answered = once(ws, 'message');
    ws.send(Buffer.from('hello'));
    await answered;
  };
  const joinMany = async (count: number): Promise<void> => {
    for (let left = count; left > 0; left -= AT_ONCE)
      await Promise.all(Array.from({ length: Math.min(left, AT_ONCE) }, join));
  };
  try {
    await joinMany(WARM_UP);
    const before = await controlPlane.memory();
    await joinMany(viewers);
    const after = await controlPlane.memory();
    return {
      viewers,
      heldBytesEach: (after.heldBytes - before.heldBytes) / viewers,
      rssBytesEach: (after.rssBytes - before.rssBytes) / viewers,
    };
  } finally {
    for (const ws of sockets) ws.terminate();
    await Promise.all([agent.stop(), controlPlane.stop()]);
  }
}
