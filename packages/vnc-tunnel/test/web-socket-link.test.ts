import { decodeFrame, encodeFrame } from '@streamspace/protocol';
import { createTunnel, type ByteChannel } from '@streamspace/vnc-tunnel';
import { webSocketLink } from '@streamspace/vnc-tunnel/node';
import { openRequest } from '@streamspace/vnc-tunnel/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { webSocketPair, type SocketPair } from './sockets.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('webSocketLink', () => {
  let pair: SocketPair<WebSocket>;
  beforeEach(async () => {
    pair = await webSocketPair();
  });
  afterEach(() => pair.release());

  it('changes no frame that the kernel has not taken yet', async () => {
    const chunkBytes = 32 * 1024;
    const chunks = 128;
    const credit = chunks * chunkBytes;
    const order = new Map<bigint, number>();
    const fillOf = (stream: number, chunk: number): number => (stream * 31 + chunk) % 256;
    let received = 0;
    const wrong: string[] = [];
    const peer = pair.client;
    peer.on('message', (message: Buffer) => {
      const frame = decodeFrame(message);
      if (frame.kind === 'open') {
        order.set(frame.streamId, order.size);
        peer.send(encodeFrame({ kind: 'accept', streamId: frame.streamId, credit }));
      }
      if (frame.kind !== 'data') return;
      received += frame.bytes.length;
      const byte = fillOf(order.get(frame.streamId)!, frame.offset / chunkBytes);
      if (!Buffer.alloc(chunkBytes, byte).equals(frame.bytes)) wrong.push(`offset ${frame.offset}`);
    });
    const link = webSocketLink(pair.server);
    const tunnel = createTunnel({ link });
    const streams: ByteChannel[] = [];
    for (let i = 0; i < 5; i++) streams.push(await tunnel.open(openRequest(`s${i}`)));
    peer.pause();
    // One frame a turn: once the kernel's buffers are full, each is made while the ones before wait for the kernel.
    const writing: Promise<void>[] = [];
    for (let chunk = 0; chunk < chunks; chunk++)
      for (const [i, stream] of streams.entries()) {
        writing.push(stream.write(new Uint8Array(chunkBytes).fill(fillOf(i, chunk))));
        await turn();
      }
    expect(link.queuedBytes).toBeGreaterThan(0);
    peer.resume();
    await Promise.all(writing);
    while (received < credit * streams.length) await turn();
    expect(wrong).toEqual([]);
    await tunnel.close();
  });

  it('changes no frame that waits for the kernel when another stream is reset', async () => {
    const credit = 4 * 1024 * 1024;
    const order = new Map<bigint, number>();
    const received = new Map<number, number>();
    const wrong: string[] = [];
    const peer = pair.client;
    peer.on('message', (message: Buffer) => {
      const frame = decodeFrame(message);
      if (frame.kind === 'open') {
        order.set(frame.streamId, order.size);
        peer.send(encodeFrame({ kind: 'accept', streamId: frame.streamId, credit }));
      }
      if (frame.kind !== 'data') return;
      const stream = order.get(frame.streamId)!;
      const before = received.get(stream) ?? 0;
      // A buffer that was filled anew has a frame that is well-formed, and comes twice.
      if (frame.offset !== before) wrong.push(`offset ${frame.offset} after ${before}`);
      received.set(stream, before + frame.bytes.length);
      if (!Buffer.alloc(frame.bytes.length, stream + 1).equals(frame.bytes)) wrong.push(`stream ${stream}`);
    });
    const link = webSocketLink(pair.server);
    const tunnel = createTunnel({ link, limits: { socketQueueBytes: 2 ** 26 } });
    const streams: ByteChannel[] = [];
    for (let i = 0; i < 5; i++) streams.push(await tunnel.open(openRequest(`s${i}`)));
    peer.pause();
    const write = (i: number): Promise<void> => streams[i]!.write(new Uint8Array(credit).fill(i + 1));
    // More than the kernel takes, so that all frames of the fourth stream wait in this process.
    for (let i = 0; i < 3; i++) await write(i);
    expect(link.queuedBytes).toBeGreaterThan(0);
    await write(3);
    streams[3]!.abort(new Error('enough'));
    // What the abort sets free is filled anew by this one.
    await write(4);
    peer.resume();
    while ((received.get(4) ?? 0) < credit) await turn();
    expect(wrong).toEqual([]);
    await tunnel.close();
  });

  it('is cut 1 s after it was closed where the far end does not answer', async () => {
    pair.client.pause();
    const gone = new Promise<number>((resolve) => pair.server.once('close', resolve));
    let closed = false;
    void gone.then(() => (closed = true));
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      webSocketLink(pair.server).close(4400, 'enough');
      vi.advanceTimersByTime(999);
      for (let i = 0; i < 10; i++) await turn();
      expect(closed).toBe(false);
      vi.advanceTimersByTime(1);
      await gone;
    } finally {
      vi.useRealTimers();
    }
    pair.client.resume();
  });

  it('leaves no timer when the far end answers a close', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const gone = new Promise((resolve) => pair.server.once('close', resolve));
      webSocketLink(pair.server).close(4400, 'enough');
      expect(vi.getTimerCount()).toBeGreaterThan(0);
      await gone;
      while (pair.client.readyState !== pair.client.CLOSED) await turn();
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it('leaves text messages to others, in order with its own', async () => {
    const seen: string[] = [];
    pair.client.on('message', (data: Buffer, isBinary) =>
      seen.push(isBinary ? decodeFrame(data).kind : data.toString()),
    );
    const tunnel = createTunnel({ link: webSocketLink(pair.server) });
    pair.server.send('before');
    const opening = tunnel.open(openRequest());
    opening.catch(() => {});
    await turn();
    pair.server.send('after');
    while (seen.length < 3) await turn();
    expect(seen).toEqual(['before', 'open', 'after']);
    pair.client.send('text is nothing to the tunnel');
    pair.client.send(encodeFrame({ kind: 'pong', streamId: 0n, nonce: 0 }));
    while (tunnel.ignoredFrames === 0) await turn();
    tunnel.abort();
    await expect(opening).rejects.toMatchObject({ code: 'closed' });
  });

  it('refuses a socket that is still connecting, and tells of one that has gone', async () => {
    const connecting = new WebSocket(pair.client.url);
    expect(() => webSocketLink(connecting)).toThrow('is connecting');
    connecting.on('error', () => {}).terminate();

    pair.server.terminate();
    await new Promise((resolve) => pair.server.once('close', resolve));
    const tunnel = createTunnel({ link: webSocketLink(pair.server) });
    expect(await tunnel.closed).toMatchObject({ code: 'link_lost' });
  });
});
