import { decodeFrame, encodeFrame } from '@streamspace/protocol';
import { createTunnel, type ByteChannel } from '@streamspace/vnc-tunnel';
import { webSocketLink } from '@streamspace/vnc-tunnel/node';
import { openRequest } from '@streamspace/vnc-tunnel/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
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
