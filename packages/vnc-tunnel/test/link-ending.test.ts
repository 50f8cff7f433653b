import { getEventListeners } from 'node:events';
import { encodeFrame, LIMITS, type Frame } from '@streamspace/protocol';
import {
  createTunnel,
  type ByteChannel,
  type FrameLink,
  type Tunnel,
  type TunnelOptions,
} from '@streamspace/vnc-tunnel';
import { channelPair, linkPair, openRequest, type LinkPair } from '@streamspace/vnc-tunnel/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { rawPeer } from '../src/testing/raw-peer.js';

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

const accepting = { onOpen: async () => channelPair()[0] };
const open: Frame = { kind: 'open', streamId: 7n, credit: 1_000, request: openRequest() };

/** The link, but for the members given. */
const altered = (link: FrameLink, members: Partial<FrameLink>): FrameLink => ({
  send: (bytes) => link.send(bytes),
  get queuedBytes() {
    return link.queuedBytes;
  },
  listen: (listener) => link.listen(listener),
  close: (code, reason) => link.close(code, reason),
  ...members,
});

describe('a tunnel that closes its link because the far end breaks the protocol', () => {
  /** A link whose far end does not answer the close, and goes on. */
  const deaf = (closes: unknown[]): FrameLink =>
    altered(links.b, { close: (code, reason) => void closes.push([code, reason]) });

  it('has ended with the violation, and looks at no frame that follows', async () => {
    const closes: unknown[] = [];
    const errors: unknown[] = [];
    let dials = 0;
    const far = make({
      link: deaf(closes),
      onError: (error) => errors.push(error),
      onOpen: async () => {
        dials++;
        return channelPair()[0];
      },
    });
    const peer = rawPeer(links.a);
    peer.send(open);
    await peer.next('accept');
    peer.sendBytes(Uint8Array.of(3, 2, 1));
    for (let i = 0; i < 20; i++) peer.send({ ...open, streamId: BigInt(i + 10) });
    expect(await far.closed).toMatchObject({ code: 'link_lost', cause: { code: 'protocol_error' } });
    for (let i = 0; i < 20; i++) {
      peer.send({ ...open, streamId: BigInt(i + 50) });
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(closes).toEqual([[4400, expect.any(String)]]);
    expect(errors).toHaveLength(1);
    expect({ dials, accepted: far.stats().accepted, streams: far.streams }).toEqual({
      dials: 1,
      accepted: 1,
      streams: 0,
    });
    await expect(far.open(openRequest())).rejects.toMatchObject({ code: 'link_lost' });
  });

  it('has ended with the limit that was passed, and counts no RESET that was not sent', async () => {
    const closes: unknown[] = [];
    const far = make({ link: deaf(closes), ...accepting, limits: { controlQueueBytes: 1_000 } });
    const peer = rawPeer(links.a);
    peer.send(open);
    await peer.next('accept');
    for (let i = 0; i < 200; i++) peer.send({ kind: 'ping', streamId: 7n, nonce: i });
    expect(await far.closed).toMatchObject({ code: 'link_lost', cause: { code: 'limit_reached' } });
    expect(closes).toEqual([[4429, expect.stringContaining('controlQueueBytes')]]);
    expect(far.stats()).toMatchObject({ resetsSent: {}, streams: 0, controlQueueBytes: 0 });
  });
});

describe('a tunnel whose link is cut', () => {
  it('counts no RESET: nobody was there to be sent one', async () => {
    const near = make({ link: links.a });
    const far = make({ link: links.b, ...accepting });
    for (let i = 0; i < 5; i++) await near.open(openRequest());
    links.cut();
    await Promise.all([near.closed, far.closed]);
    for (const tunnel of [near, far]) expect(tunnel.stats()).toMatchObject({ resetsSent: {}, streams: 0 });
  });
});

describe('an abort of a tunnel with many streams', () => {
  it('resets each of them, with the reason cut short, and leaves the link open', async () => {
    const count = 300;
    let closed = false;
    const link = altered(links.a, { close: () => (closed = true) });
    const near = make({ link, limits: { controlQueueBytes: 16 * 1024 } });
    const far = make({ link: links.b, ...accepting });
    const streams: ByteChannel[] = [];
    while (streams.length < count) streams.push(await near.open(openRequest()));
    const reason = new Error('ä'.repeat(600));
    near.abort(reason);
    await expect(streams[0]!.read()).rejects.toBe(reason);
    await expect.poll(() => far.stats().resetsReceived).toEqual({ going_away: count });
    expect(near.stats().resetsSent).toEqual({ going_away: count });
    expect(closed).toBe(false);
    expect(far.streams).toBe(0);
  });

  it('cuts the reason to 123 bytes, between characters', async () => {
    const near = make({ link: links.a });
    const peer = rawPeer(links.b);
    const opening = near.open(openRequest());
    opening.catch(() => {});
    await peer.next('open');
    near.abort(new Error('ä'.repeat(600)));
    expect((await peer.next('reset')).reason).toBe('ä'.repeat(61));
    await expect(opening).rejects.toThrow();
  });
});

describe('a tunnel that was closed', () => {
  it('leaves no timer', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const near = make({ link: links.a });
      const far = make({ link: links.b, ...accepting });
      const opening = near.open(openRequest());
      expect(vi.getTimerCount()).toBe(1);
      await opening;
      expect(vi.getTimerCount()).toBe(0);
      const closing = Promise.all([near.close(), far.close()]);
      expect(vi.getTimerCount()).toBe(2);
      await closing;
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('an OPEN', () => {
  it('that grants more than a window may be is refused before anything is dialled', async () => {
    let dials = 0;
    const far = make({
      link: links.b,
      onOpen: async () => {
        dials++;
        return channelPair()[0];
      },
    });
    const peer = rawPeer(links.a);
    peer.send({ ...open, credit: 4 * 1024 * 1024 + 1 });
    expect(await peer.next('reset')).toMatchObject({
      code: 'flow_control',
      reason: 'OPEN grants 4194305 bytes, and at most 4194304 is allowed',
    });
    expect(dials).toBe(0);
    expect(far.stats()).toMatchObject({
      accepted: 0,
      acceptFailures: { flow_control: 1 },
      resetsSent: { flow_control: 1 },
    });
    peer.send({ ...open, credit: 4 * 1024 * 1024 });
    await peer.next('accept');
  });

  for (const [what, value] of [
    ['undefined', undefined],
    ['null', null],
    ['an object that is none', { read: () => {} }],
  ] as const)
    it(`for which onOpen resolves with ${what} is refused as internal, aloud`, async () => {
      const near = make({ link: links.a });
      const errors: unknown[] = [];
      const far = make({
        link: links.b,
        onOpen: async () => value as unknown as ByteChannel,
        onError: (error, where) => errors.push([where, (error as Error).message]),
      });
      const message = `onOpen must resolve with a ByteChannel, and resolved with ${what}`;
      await expect(near.open(openRequest())).rejects.toMatchObject({ code: 'internal', message });
      expect(errors).toEqual([['onOpen', message]]);
      expect(far.streams).toBe(0);
    });

  it('given up in the tick of its ACCEPT rejects, and counts as given up', async () => {
    const controller = new AbortController();
    const link = altered(links.a, {
      listen: (listener) =>
        links.a.listen({
          onFrame: (bytes) => {
            listener.onFrame(bytes);
            controller.abort(new Error('too late'));
          },
          onDrain: () => listener.onDrain(),
          onClose: (reason) => listener.onClose(reason),
        }),
    });
    const near = make({ link });
    const far = make({ link: links.b, ...accepting });
    await expect(near.open(openRequest(), { signal: controller.signal })).rejects.toThrow('too late');
    expect(near.stats()).toMatchObject({ opened: 0, openFailures: { cancelled: 1 }, streams: 0 });
    await expect.poll(() => far.streams).toBe(0);
  });

  it('leaves nothing that a later abort of its signal would reach', async () => {
    const near = make({ link: links.a });
    make({ link: links.b, ...accepting });
    const controller = new AbortController();
    const { signal } = controller;
    const stream = await near.open(openRequest(), { signal });
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    controller.abort();
    await stream.write(new Uint8Array(10));
    expect(near.streams).toBe(1);
  });

  it('may come as often as one likes, one after the other, whatever opensInFlight is', async () => {
    const near = make({ link: links.a, limits: { opensInFlight: 1 } });
    let refused = 0;
    make({
      link: links.b,
      limits: { opensInFlight: 2 },
      onOpen: async ({ sessionId }) => {
        if (sessionId === 'desk') return channelPair()[0];
        refused++;
        throw new Error('no');
      },
    });
    for (let i = 0; i < 5; i++) {
      (await near.open(openRequest())).abort();
      await expect(near.open(openRequest('none'))).rejects.toMatchObject({ code: 'connect_failed' });
    }
    expect(refused).toBe(5);
  });
});

describe('a stream that was reset', () => {
  it('sends no CREDIT that it still owed', async () => {
    const sent: number[] = [];
    let queuedBytes = 0;
    const link = altered(links.a, {
      send: (bytes) => {
        sent.push(bytes[0]!);
        links.a.send(bytes);
      },
    });
    Object.defineProperty(link, 'queuedBytes', { get: () => queuedBytes });
    let listener: Parameters<FrameLink['listen']>[0] | undefined;
    link.listen = (given) => {
      listener = given;
      return links.a.listen(given);
    };
    const near = make({ link });
    const peer = rawPeer(links.b);
    const opening = near.open(openRequest());
    const { streamId } = await peer.next('open');
    peer.send({ kind: 'accept', streamId, credit: 1_000 });
    const stream = await opening;
    // From here on the link is full, so that what is owed waits.
    queuedBytes = 2 ** 20;
    const part = new Uint8Array(LIMITS.dataBytes);
    for (let offset = 0; offset < 3 * part.length; offset += part.length)
      peer.send({ kind: 'data', streamId, offset, bytes: part });
    for (let got = 0; got < 3 * part.length;) got += (await stream.read())!.length;
    const rest = stream.read();
    stream.abort(new Error('enough'));
    await expect(rest).rejects.toThrow('enough');
    queuedBytes = 0;
    listener!.onDrain();
    await peer.next('reset');
    const credit = encodeFrame({ kind: 'credit', streamId, consumed: 0, limit: 0 })[0];
    expect(sent).not.toContain(credit);
  });
});
