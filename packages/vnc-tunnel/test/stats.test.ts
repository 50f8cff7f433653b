import { encodeFrame, LIMITS } from '@streamspace/protocol';
import { createTunnel, creditBudget, type Tunnel, type TunnelOptions } from '@streamspace/vnc-tunnel';
import { channelPair, linkPair, openRequest, type LinkPair } from '@streamspace/vnc-tunnel/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const KIB = 1024;
const coded = (code: string) => Object.assign(new Error(code), { code });

let links: LinkPair;
let tunnels: Tunnel[];
beforeEach(() => {
  links = linkPair();
  tunnels = [];
});
afterEach(() => Promise.all(tunnels.map((tunnel) => tunnel.close())));

function make(options: TunnelOptions): Tunnel {
  const tunnel = createTunnel(options);
  tunnels.push(tunnel);
  return tunnel;
}

describe('stats of a tunnel', () => {
  it('count bytes, credit and what is held, on both ends', async () => {
    const [dialled, target] = channelPair();
    const near = make({ link: links.a });
    const far = make({ link: links.b, onOpen: async () => dialled });
    const stream = await near.open(openRequest());
    await stream.write(new Uint8Array(40 * KIB));
    await expect.poll(() => far.stats().bytesReceived).toBe(40 * KIB);
    expect(near.stats()).toMatchObject({
      streams: 1,
      opened: 1,
      bytesSent: 40 * KIB,
      bytesReceived: 0,
      grantedBytes: 256 * KIB,
      outstandingBytes: 40 * KIB,
      creditStallMs: 0,
    });
    expect(far.stats()).toMatchObject({ accepted: 1, openFailures: {}, linkQueueBytes: 0 });
    await target.write(new Uint8Array(10));
    await expect.poll(() => near.stats().unreadBytes).toBe(10);
  });

  it('count the time that a sender waits for credit, while it lasts and afterwards', async () => {
    let clock = 0;
    const [dialled, target] = channelPair(1);
    const near = make({ link: links.a, now: () => clock });
    make({ link: links.b, onOpen: async () => dialled });
    const stream = await near.open(openRequest());
    const writing = stream.write(new Uint8Array(600 * KIB));
    await expect.poll(() => near.stats().outstandingBytes).toBe(256 * KIB);
    clock += 500;
    expect(near.stats().creditStallMs).toBe(500);
    for (let got = 0; got < 600 * KIB;) got += (await target.read())!.length;
    await writing;
    clock += 500;
    expect(near.stats().creditStallMs).toBe(500);
  });

  it('count opens that came to nothing by code, and resets by code and direction', async () => {
    const near = make({ link: links.a });
    const far = make({
      link: links.b,
      onOpen: async ({ sessionId }) => {
        if (sessionId === 'desk') return channelPair()[0];
        throw coded(sessionId);
      },
    });
    for (const id of ['session_not_found', 'connect_failed', 'connect_failed'])
      await expect(near.open(openRequest(id))).rejects.toMatchObject({ code: id });
    await expect(near.open(openRequest(), { signal: AbortSignal.abort() })).rejects.toThrow();
    (await near.open(openRequest())).abort(coded('going_away'));
    await expect.poll(() => far.stats().resetsReceived).toEqual({ going_away: 1 });
    expect(near.stats()).toMatchObject({
      opened: 1,
      openFailures: { session_not_found: 1, connect_failed: 2 },
      resetsSent: { going_away: 1 },
      resetsReceived: { session_not_found: 1, connect_failed: 2 },
    });
    expect(far.stats()).toMatchObject({
      accepted: 1,
      acceptFailures: { session_not_found: 1, connect_failed: 2 },
    });
  });

  it('count a PONG that nobody asked for as ignored', async () => {
    const near = make({ link: links.a });
    make({ link: links.b, onOpen: async () => channelPair()[0] });
    await near.open(openRequest());
    links.b.send(encodeFrame({ kind: 'pong', streamId: 1n, nonce: 7 }));
    await expect.poll(() => near.stats().ignoredFrames).toBe(1);
  });
});

describe('a budget that tunnels share', () => {
  it('refuses a stream past it with limit_reached, and has all back when they are over', async () => {
    const budget = creditBudget({ bytes: 32 * KIB });
    const near = make({ link: links.a });
    const far = make({ link: links.b, creditBudget: budget, onOpen: async () => channelPair()[0] });
    const streams = [await near.open(openRequest()), await near.open(openRequest())];
    expect(far.stats().grantedBytes).toBe(32 * KIB);
    await expect(near.open(openRequest())).rejects.toMatchObject({
      code: 'limit_reached',
      message: 'creditBudget: all of its 32768 bytes are granted',
    });
    expect(far.stats().acceptFailures).toEqual({ limit_reached: 1 });
    for (const stream of streams) stream.abort();
    await expect.poll(() => budget.usedBytes).toBe(0);
    await (await near.open(openRequest())).end();
  });
});

describe('limits of windows', () => {
  it('start no window above the largest', () => {
    const limits = { initialWindowBytes: 2 * KIB, maxWindowBytes: KIB };
    expect(() => createTunnel({ link: links.a, limits })).toThrow(
      'limits.initialWindowBytes must be a whole number from 1 to 1024, not 2048',
    );
    expect(() => createTunnel({ link: links.a, limits: { maxWindowBytes: 2 ** 22 + 1 } })).toThrow(
      'limits.maxWindowBytes must be a whole number from 1 to 4194304',
    );
  });

  it('take the largest as the initial one where that is less than 256 KiB', async () => {
    const near = make({ link: links.a, limits: { maxWindowBytes: KIB } });
    make({ link: links.b, onOpen: async () => channelPair()[0] });
    await near.open(openRequest());
    expect(near.stats().grantedBytes).toBe(KIB);
    expect(LIMITS.initialWindowBytes).toBe(256 * KIB);
  });
});
