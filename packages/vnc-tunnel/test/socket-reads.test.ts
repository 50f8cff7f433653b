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

  it('hands out bytes of its own whatever their number, read into the buffer that all share', () => {
    const counts = [1, 16 * 1024 - 1, 16 * 1024, 20_000, 32_768, 32_769, 50_000, FULL - 1, FULL];
    const got = counts.map((count, i) => ({ count, bytes: read(new SocketReads(), i + 1, count) }));
    for (const [i, { count, bytes }] of got.entries()) {
      expect(bytes.length).toBe(count);
      expect(bytes.every((byte) => byte === i + 1)).toBe(true);
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

  it('lends its bytes until the write that carries them has settled, however long that takes', async () => {
    const { channel, far, release } = await dialled();
    const sent = patternBytes(3_000_000);
    const held: Uint8Array[] = [];
    // As a stream out of credit: it looks at the chunk when it may send, and that is later.
    const outOfCredit: ByteChannel = {
      read: async () => null,
      async write(bytes) {
        await new Promise((resolve) => setTimeout(resolve, 2));
        held.push(bytes.slice());
      },
      end: async () => {},
      abort: () => {},
      closed: new Promise(() => {}),
    };
    far.end(sent);
    far.resume();
    expect(await joinChannels(channel, outOfCredit)).toEqual({ aToB: sent.length, bToA: 0 });
    expect(sameBytes(Buffer.concat(held), sent)).toBe(true);
    await release();
  });

  it('reads bytes that stay as they are, whatever is read afterwards', async () => {
    const { channel, far, release } = await dialled();
    const sent = patternBytes(3_000_000);
    far.end(sent);
    const kept: Uint8Array[] = [];
    for (let chunk = await channel.read(); chunk; chunk = await channel.read()) {
      kept.push(chunk);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(sameBytes(Buffer.concat(kept), sent)).toBe(true);
    channel.abort();
    await release();
  });
});
