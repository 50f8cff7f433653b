import { encodeData, encodeFrame, LIMITS } from '@streamspace/protocol';
import { creditBudget, type ByteChannel, type TunnelOptions } from '@streamspace/vnc-tunnel';
import { channelPair, openRequest } from '@streamspace/vnc-tunnel/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { tunnelPair, type TunnelPair } from './tunnel-pair.js';

let pair: TunnelPair;
afterEach(() => pair.release());

const accepting: Partial<TunnelOptions> = { onOpen: async () => channelPair()[0] };
const never = (): Promise<ByteChannel> => new Promise(() => {});

describe('each limit of a tunnel has the outcome that is stated', () => {
  it('streams: one too many is refused by this end, and by the far end', async () => {
    pair = await tunnelPair({ near: { limits: { streams: 2 } }, far: accepting });
    await Promise.all([pair.near.open(openRequest()), pair.near.open(openRequest())]);
    const message = 'streams: at most 2 at once on one tunnel';
    await expect(pair.near.open(openRequest())).rejects.toMatchObject({ code: 'limit_reached', message });
    await pair.release();
    pair = await tunnelPair({ far: { ...accepting, limits: { streams: 2 } } });
    await Promise.all([pair.near.open(openRequest()), pair.near.open(openRequest())]);
    await expect(pair.near.open(openRequest())).rejects.toMatchObject({ code: 'limit_reached', message });
  });

  it('opensInFlight: one too many is refused by the far end that dials', async () => {
    pair = await tunnelPair({ far: { onOpen: never, limits: { opensInFlight: 1, closeTimeoutMs: 20 } } });
    const first = pair.near.open(openRequest());
    await expect(pair.near.open(openRequest())).rejects.toMatchObject({
      code: 'limit_reached',
      message: 'opensInFlight: at most 1 opens may wait for an answer',
    });
    pair.near.abort();
    await expect(first).rejects.toMatchObject({ code: 'closed' });
  });

  it('openTimeoutMs: an open that is not answered rejects with timeout', async () => {
    pair = await tunnelPair({
      near: { limits: { openTimeoutMs: 30 } },
      far: { onOpen: never, limits: { closeTimeoutMs: 20 } },
    });
    await expect(pair.near.open(openRequest())).rejects.toMatchObject({ code: 'timeout' });
  });

  it('initialWindowBytes: DATA beyond it is a RESET with flow_control, and others go on', async () => {
    pair = await tunnelPair({ near: { limits: { initialWindowBytes: 1_000 } }, far: accepting });
    const stream = await pair.near.open(openRequest());
    const lasting = await pair.near.open(openRequest());
    pair.far.abort();
    await expect(stream.read()).rejects.toMatchObject({ code: 'going_away' });
    await expect(lasting.read()).rejects.toMatchObject({ code: 'going_away' });
    const opening = pair.near.open(openRequest());
    // The far end is by hand from here on: it accepts, and sends a byte too many.
    const [message] = await new Promise<[Buffer]>((resolve) =>
      pair.farSocket.once('message', (bytes: Buffer) => resolve([bytes])),
    );
    const streamId = message.readBigUInt64BE(2);
    pair.farSocket.send(encodeFrame({ kind: 'accept', streamId, credit: 10 }));
    pair.farSocket.send(encodeData(streamId, 0, new Uint8Array(1_001)));
    const opened = await opening;
    await expect(opened.read()).rejects.toMatchObject({ code: 'flow_control' });
    expect(pair.near.stats().resetsSent).toEqual({ flow_control: 1 });
    expect(pair.nearSocket.readyState).toBe(pair.nearSocket.OPEN);
  });

  it('maxWindowBytes: a far end that grants more than 4 MiB gets a RESET with flow_control', async () => {
    pair = await tunnelPair({});
    pair.far.abort();
    const opening = pair.near.open(openRequest());
    const message = await new Promise<Buffer>((resolve) =>
      pair.farSocket.once('message', (bytes: Buffer) => resolve(bytes)),
    );
    const streamId = message.readBigUInt64BE(2);
    pair.farSocket.send(encodeFrame({ kind: 'accept', streamId, credit: 4 * 1024 * 1024 + 1 }));
    await expect(opening.then((stream) => stream.read())).rejects.toMatchObject({ code: 'flow_control' });
  });

  it('creditBudget: a stream past it is refused with limit_reached, and one after others are over is not', async () => {
    const budget = creditBudget({ bytes: 16 * 1024 });
    pair = await tunnelPair({ far: { ...accepting, creditBudget: budget } });
    const stream = await pair.near.open(openRequest());
    await expect(pair.near.open(openRequest())).rejects.toMatchObject({ code: 'limit_reached' });
    stream.abort();
    await expect.poll(() => budget.usedBytes).toBe(0);
    await pair.near.open(openRequest());
  });

  it('socketQueueBytes: streams wait behind it while the far end reads nothing', async () => {
    // More credit than what the kernel's buffers hold, so that it is not credit that streams wait for.
    const window = 4 * 1024 * 1024;
    pair = await tunnelPair({ far: { ...accepting, limits: { initialWindowBytes: window } } });
    const streams = await Promise.all(Array.from({ length: 16 }, () => pair.near.open(openRequest())));
    pair.farSocket.pause();
    const bytes = new Uint8Array(window);
    const writing = streams.map((stream) => stream.write(bytes).catch(() => {}));
    await expect.poll(() => pair.near.stats().linkQueueBytes).toBeGreaterThan(0);
    expect(pair.near.stats().linkQueueBytes).toBeLessThanOrEqual(128 * 1024 + LIMITS.dataBytes);
    pair.near.abort();
    await Promise.all(writing);
  });

  it('controlQueueBytes: a far end that asks without reading loses the connection', async () => {
    pair = await tunnelPair({ near: { limits: { controlQueueBytes: 1_000, socketQueueBytes: 1_000 } } });
    const ping = encodeFrame({ kind: 'ping', streamId: 1n, nonce: 1 });
    pair.far.abort();
    const closed = new Promise<number>((resolve) => pair.farSocket.once('close', resolve));
    pair.nearSocket.on('message', () => {});
    const sending = setInterval(() => {
      for (let i = 0; i < 2_000; i++) pair.farSocket.send(ping);
    }, 1);
    const code = await closed;
    clearInterval(sending);
    expect(code).toBe(4429);
  });

  it('closeTimeoutMs: what onOpen does not release in time is reported, and close resolves', async () => {
    const errors: string[] = [];
    pair = await tunnelPair({
      far: {
        onOpen: never,
        limits: { closeTimeoutMs: 30 },
        onError: (error, where) => errors.push(`${where}: ${(error as Error).message}`),
      },
    });
    const opening = pair.near.open(openRequest());
    await expect.poll(() => pair.far.streams).toBe(1);
    await Promise.all([pair.far.close(), expect(opening).rejects.toMatchObject({ code: 'going_away' })]);
    expect(errors).toEqual(['close: closeTimeoutMs: 1 channels of onOpen were not released within 30 ms']);
  });

  it('controlQueueBytes: the resets of a tunnel that ends are not held against it', async () => {
    const opens = 1_000;
    pair = await tunnelPair({
      near: { limits: { opensInFlight: opens, controlQueueBytes: 256 * 1024 } },
      far: { ...accepting, limits: { opensInFlight: opens } },
    });
    await Promise.all(Array.from({ length: opens }, () => pair.near.open(openRequest())));
    pair.near.abort(new Error('x'.repeat(600)));
    await expect.poll(() => pair.far.stats().resetsReceived).toEqual({ going_away: opens });
    expect(pair.nearSocket.readyState).toBe(pair.nearSocket.OPEN);
  });

  it('malformedFrames: the connection is closed, and cut where the far end goes on all the same', async () => {
    let dials = 0;
    pair = await tunnelPair({
      near: {
        onOpen: async () => {
          dials++;
          return channelPair()[0];
        },
        limits: { malformedFrames: 1 },
      },
    });
    pair.far.abort();
    const peer = pair.farSocket;
    const gone = new Promise((resolve) => pair.nearSocket.once('close', resolve));
    // It never sees the close, and goes on.
    peer.pause();
    const open = (streamId: bigint): Uint8Array =>
      encodeFrame({ kind: 'open', streamId, credit: 1, request: openRequest() });
    for (let i = 0; i < 2; i++) peer.send(open(9n).subarray(0, 30));
    await expect.poll(() => pair.nearSocket.readyState).not.toBe(pair.nearSocket.OPEN);
    for (let i = 0; i < 20; i++) peer.send(open(BigInt(i + 20)));
    await gone;
    expect(dials).toBe(0);
    expect(pair.near.stats().accepted).toBe(0);
  });
});
