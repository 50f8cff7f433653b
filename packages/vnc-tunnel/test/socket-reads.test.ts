import { LIMITS } from '@streamspace/protocol';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { joinChannels, type ByteChannel } from '@streamspace/vnc-tunnel';
import { connectTcp } from '@streamspace/vnc-tunnel/node';
import { channelContract, channelPair } from '@streamspace/vnc-tunnel/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SocketReads } from '../src/node/socket-reads.js';
import { patternBytes, readAll, sameBytes } from '../src/testing/bytes.js';
import { SocketChannel } from '../src/node/socket-channel.js';

const FULL = LIMITS.dataBytes;

/** A socket's channel as `connectTcp` makes it, and the socket at the far end of it. */
async function dialled(): Promise<{ channel: ByteChannel; far: Socket; release(): Promise<void> }> {
  const listener = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const accepted = once(listener, 'connection') as Promise<[Socket]>;
  const { port } = listener.address() as AddressInfo;
  const [[far], channel] = await Promise.all([accepted, connectTcp({ host: '127.0.0.1', port })]);
  const release = async (): Promise<void> => {
    far.destroy();
    await new Promise((resolve) => listener.close(resolve));
  };
  return { channel, far, release };
}

channelContract(
  { describe, it, beforeEach, afterEach },
  {
    name: 'connectTcp',
    async connect() {
      const { channel, far, release } = await dialled();
      return { a: new SocketChannel(far), b: channel, release };
    },
  },
);

describe('SocketReads', () => {
  /** What one read brings, as the channel gets it. */
  function read(reads: SocketReads, value: number, count: number): Uint8Array {
    let taken: Uint8Array | undefined;
    reads.onBytes = (bytes) => {
      taken = bytes;
      return true;
    };
    const buffer = (reads.onread.buffer as () => Uint8Array)();
    buffer.fill(value, 0, count);
    reads.onread.callback(count, buffer);
    return taken!;
  }

  it('hands out bytes that no later read of any socket touches', () => {
    const one = new SocketReads();
    const other = new SocketReads();
    const got = [10, FULL, FULL, 20_000, 10, FULL, 10].map((count, i) => ({
      count,
      value: i + 1,
      bytes: read(i % 3 === 1 ? other : one, i + 1, count),
    }));
    for (const { count, value, bytes } of got) {
      expect(bytes.length).toBe(count);
      expect(bytes.every((byte) => byte === value)).toBe(true);
    }
  });

  it('reads bulk into buffers that came back, and holds none for a socket that waits', () => {
    const reads = new SocketReads();
    const other = new SocketReads();
    const buffer = (of: SocketReads): ArrayBufferLike => (of.onread.buffer as () => Uint8Array)().buffer;
    const shared = buffer(other);
    expect(buffer(reads)).toBe(shared);
    const bulk = read(reads, 1, FULL);
    expect(buffer(reads)).not.toBe(shared);
    reads.reuse(bulk);
    read(reads, 2, FULL);
    expect(buffer(reads)).toBe(bulk.buffer);
    read(reads, 3, 100);
    expect(buffer(reads)).toBe(shared);
  });
});

describe('a channel of connectTcp', () => {
  it('carries bulk unchanged when its bytes are borrowed, into a reader who is slow at times', async () => {
    const { channel, far, release } = await dialled();
    const [join, end] = channelPair(100_000);
    const joined = joinChannels(channel, join);
    const sent = patternBytes(6_000_000);
    const reading = readAll(end);
    far.end(sent);
    far.resume();
    await end.end();
    expect(sameBytes(await reading, sent)).toBe(true);
    expect(await joined).toEqual({ aToB: sent.length, bToA: 0 });
    await release();
  });
});
