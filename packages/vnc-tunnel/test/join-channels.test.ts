import { createTunnel, joinChannels, type ByteChannel } from '@streamspace/vnc-tunnel';
import { channelPair, linkPair, openRequest } from '@streamspace/vnc-tunnel/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { deferred } from '../src/deferred.js';
import { patternBytes, readAll, sameBytes, until } from '../src/testing/bytes.js';

/** The channel with some of its members replaced. */
function altered(channel: ByteChannel, members: Partial<ByteChannel>): ByteChannel {
  return {
    read: () => channel.read(),
    write: (bytes) => channel.write(bytes),
    end: () => channel.end(),
    ...(channel.delivered && { delivered: () => channel.delivered!() }),
    abort: (reason) => channel.abort(reason),
    closed: channel.closed,
    ...members,
  };
}

/** A channel as a WebSocket is after an orderly close: `sent` is still to be read, and nothing can be written. */
function departed(sent: Uint8Array[] = []): ByteChannel {
  return {
    read: async () => sent.shift() ?? null,
    write: () => Promise.reject(new Error('nobody is there')),
    end: async () => {},
    abort: () => {},
    closed: Promise.resolve(undefined),
  };
}

describe('joinChannels', () => {
  it('reports how much went each way after an orderly end', async () => {
    const [near, a] = channelPair();
    const [b, far] = channelPair();
    const joined = joinChannels(a, b);
    await near.write(new Uint8Array(5));
    await far.write(new Uint8Array(7));
    await Promise.all([near.end(), far.end()]);
    expect(await joined).toEqual({ aToB: 5, bToA: 7 });
  });

  it('sees one channel fail while both of its copies wait for the other', async () => {
    const [near, a] = channelPair(10);
    const [b, far] = channelPair(10);
    const joined = joinChannels(a, b);
    await near.write(new Uint8Array(9));
    const stalled = near.write(new Uint8Array(9));
    stalled.catch(() => {});
    near.abort(new Error('gone'));
    expect((await joined).error?.message).toContain('gone');
    expect(await far.closed).toBeInstanceOf(Error);
  });

  it('keeps borrowed bytes until the write that carries them has settled', async () => {
    const [, from] = channelPair();
    const lent = new Uint8Array(1000);
    let turn = 0;
    const lender = altered(from, {
      borrow: async () => {
        if (turn === 5) return null;
        lent.fill(++turn);
        return lent;
      },
    });
    const [to, end] = channelPair();
    const seen: number[] = [];
    const slow = altered(to, {
      write: async (bytes) => {
        await new Promise((resolve) => setTimeout(resolve, 1));
        seen.push(...new Set(bytes));
      },
    });
    const joined = joinChannels(lender, slow);
    await end.end();
    expect(await joined).toEqual({ aToB: 5_000, bToA: 0 });
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });
});

describe('a join whose one channel has closed both directions in order', () => {
  it('takes the other one with it, and calls that no failure', async () => {
    const [b, far] = channelPair();
    expect(await joinChannels(departed(), b, { farewellMs: 10 })).toEqual({ aToB: 0, bToA: 0 });
    await expect(far.write(Uint8Array.of(1))).rejects.toThrow();
  });

  it('drops what comes for it, and lets the other one end by itself', async () => {
    const [b, far] = channelPair();
    const joined = joinChannels(departed(), b);
    for (let i = 0; i < 10; i++) await far.write(new Uint8Array(60_000));
    await far.end();
    expect(await joined).toEqual({ aToB: 0, bToA: 0 });
    expect(await b.closed).toBe(undefined);
  });

  it('drops what is being written to it when it closes', async () => {
    const [, gone] = channelPair();
    const closing = deferred<Error | undefined>();
    const [b, far] = channelPair();
    const a = altered(gone, {
      closed: closing.promise,
      read: () => closing.promise.then(() => null),
      write: () => {
        closing.resolve(undefined);
        return Promise.reject(new Error('nobody is there'));
      },
    });
    const joined = joinChannels(a, b);
    await far.write(Uint8Array.of(1));
    await far.end();
    expect(await joined).toEqual({ aToB: 0, bToA: 0 });
  });

  it('leaves no timer', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const [b, far] = channelPair();
      const joined = joinChannels(departed([new Uint8Array(9)]), b);
      await new Promise((resolve) => setImmediate(resolve));
      expect(vi.getTimerCount()).toBe(1);
      expect(await readAll(far)).toHaveLength(9);
      await far.end();
      await joined;
      await new Promise((resolve) => setImmediate(resolve));
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it('delivers its last bytes to a reader who is slow', async () => {
    const sent = patternBytes(300_000);
    const [b, far] = channelPair();
    const joined = joinChannels(departed([sent.slice()]), b, { farewellMs: 1 });
    const got: Uint8Array[] = [];
    for (let chunk = await far.read(); chunk; chunk = await far.read().catch(() => null)) {
      got.push(chunk.slice());
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(sameBytes(Buffer.concat(got), sent)).toBe(true);
    expect(await joined).toEqual({ aToB: sent.length, bToA: 0 });
  });

  it('reports that its last bytes were not consumed within lingerMs', async () => {
    for (const size of [1_000, 1_000_000]) {
      const [b, far] = channelPair();
      const joined = await joinChannels(departed([new Uint8Array(size)]), b, { lingerMs: 20 });
      expect(joined.error).toMatchObject({
        code: 'timeout',
        message: expect.stringContaining('lingerMs') as string,
      });
      expect((await far.closed)?.message).toContain('lingerMs');
    }
  });

  it('reports a last write that does not come to its end, though the other direction is over', async () => {
    const [silent] = channelPair();
    const b = altered(silent, { read: async () => null, write: () => new Promise(() => {}) });
    const joined = await joinChannels(departed([new Uint8Array(9)]), b, { lingerMs: 20 });
    expect(joined.error).toMatchObject({ code: 'timeout' });
    expect((await silent.closed)?.message).toContain('lingerMs');
  });

  it('does not keep a channel that cannot tell what was consumed, and does not end, for longer than lingerMs', async () => {
    const [silent, far] = channelPair();
    const { delivered: _, ...b } = altered(silent, {});
    expect(await joinChannels(departed([new Uint8Array(9)]), b, { lingerMs: 20 })).toEqual({
      aToB: 9,
      bToA: 0,
    });
    await far.closed;
  });

  it('does not keep one that goes on sending for longer than farewellMs', async () => {
    const [b, far] = channelPair();
    const sending = (async () => {
      for (;;) {
        await far.write(new Uint8Array(1_000));
        await new Promise((resolve) => setImmediate(resolve));
      }
    })().catch((error: unknown) => error);
    expect(await joinChannels(departed(), b, { farewellMs: 20 })).toEqual({ aToB: 0, bToA: 0 });
    expect(await sending).toBeInstanceOf(Error);
  });
});

describe('a join with a channel that breaks its contract', () => {
  const unhandled: unknown[] = [];
  const onUnhandled = (error: unknown): void => void unhandled.push(error);
  beforeEach(() => {
    unhandled.length = 0;
    process.on('unhandledRejection', onUnhandled);
  });
  afterEach(async () => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    process.off('unhandledRejection', onUnhandled);
    expect(unhandled).toEqual([]);
  });

  it('reports an abort that throws, aborts the other one, and ends', async () => {
    const [, a] = channelPair();
    const [b, far] = channelPair();
    const onError = vi.fn();
    const abort = (): void => {
      throw new Error('abort is broken');
    };
    const broken = altered(a, { abort });
    const joined = joinChannels(broken, b, { onError });
    far.abort(new Error('gone'));
    expect((await joined).error?.message).toContain('gone');
    expect(onError.mock.calls[0]).toEqual([new Error('abort is broken'), 'abort']);
    const other = channelPair();
    const failing = joinChannels(
      altered(channelPair()[0], { abort }),
      altered(other[0], { closed: Promise.resolve(new Error('failed')) }),
      {
        onError,
      },
    );
    expect((await failing).error?.message).toBe('failed');
    expect(await other[1].closed).toBeInstanceOf(Error);
  });

  it('reports a closed that rejects, and ends with it', async () => {
    const [, a] = channelPair();
    const [b, far] = channelPair();
    const onError = vi.fn();
    const broken = altered(a, { closed: Promise.reject(new Error('closed is broken')) });
    expect(await joinChannels(broken, b, { onError })).toMatchObject({
      error: new Error('closed is broken'),
    });
    expect(onError).toHaveBeenCalledWith(new Error('closed is broken'), 'closed');
    expect(await far.closed).toBeInstanceOf(Error);
  });

  it('costs its stream and nothing else when a tunnel has dialled it', async () => {
    const links = linkPair();
    const errors: string[] = [];
    const [dialled] = channelPair();
    const near = createTunnel({ link: links.a });
    const far = createTunnel({
      link: links.b,
      onOpen: async ({ sessionId }) =>
        sessionId === 'desk'
          ? altered(dialled, {
              closed: Promise.reject(new Error('closed is broken')),
              abort: () => {
                throw new Error('abort is broken');
              },
            })
          : channelPair()[0],
      onError: (error, where) => errors.push(`${where}: ${(error as Error).message}`),
    });
    const stream = await near.open(openRequest());
    expect((await stream.closed)?.message).toContain('closed is broken');
    await (await near.open(openRequest('other'))).end();
    expect(errors).toContain('closed: closed is broken');
    expect(errors).toContain('abort: abort is broken');
    await Promise.all([near.close(), far.close()]);
  });
});

describe('a stream that has ended its direction', () => {
  it('is delivered also where the far end had ended its own before, and this end reads nothing', async () => {
    const links = linkPair();
    const near = createTunnel({ link: links.a });
    const [dialled, target] = channelPair();
    await target.write(new Uint8Array(10));
    await target.end();
    const far = createTunnel({ link: links.b, onOpen: async () => dialled });
    const stream = await near.open(openRequest());
    // All at once, so that the far end has heard of the end when it hands out the last chunk.
    links.hold(true);
    for (let chunk = 0; chunk < 3; chunk++) await stream.write(new Uint8Array(5_000));
    await stream.end();
    links.hold(false);
    expect(await readAll(target)).toHaveLength(15_000);
    await stream.delivered!();
    await Promise.all([near.close(), far.close()]);
  });

  it('is delivered when the far end has dealt with the last byte, and not when that was sent', async () => {
    const links = linkPair();
    const near = createTunnel({ link: links.a });
    let release = (): void => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const [dialled, target] = channelPair();
    const far = createTunnel({
      link: links.b,
      onOpen: async () => altered(dialled, { write: (bytes) => held.then(() => dialled.write(bytes)) }),
    });
    const stream = await near.open(openRequest());
    await stream.write(new Uint8Array(100));
    await stream.end();
    let delivered = false;
    const delivery = stream.delivered!().then(() => (delivered = true));
    await until('it was received', () => far.stats().bytesReceived === 100);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(delivered).toBe(false);
    release();
    await delivery;
    expect(near.stats().outstandingBytes).toBe(0);
    const reading = readAll(target);
    await target.end();
    expect(await reading).toHaveLength(100);
    await stream.delivered!();
    await Promise.all([near.close(), far.close()]);
  });
});
