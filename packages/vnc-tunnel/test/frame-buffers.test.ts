import { encodeData, LIMITS } from '@streamspace/protocol';
import { createTunnel, type FrameLink } from '@streamspace/vnc-tunnel';
import { channelPair, linkPair, openRequest } from '@streamspace/vnc-tunnel/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { FrameBuffers, frameBuffers } from '../src/frame-buffers.js';
import { OutboundQueue } from '../src/outbound-queue.js';
import { Counters } from '../src/stats.js';

const PAYLOAD = LIMITS.dataBytes;

describe('FrameBuffers', () => {
  it('makes the frames of the codec, also in a buffer that was used before', () => {
    const buffers = new FrameBuffers();
    buffers.data(1n, 0, new Uint8Array(PAYLOAD).fill(255)).release!();
    const bytes = new Uint8Array(PAYLOAD - 100).fill(3);
    expect(buffers.data(2n ** 63n, 2 ** 40, bytes).bytes).toEqual(encodeData(2n ** 63n, 2 ** 40, bytes));
  });

  it('uses a buffer again only once it was released', () => {
    const buffers = new FrameBuffers();
    const bytes = new Uint8Array(PAYLOAD);
    const first = buffers.data(1n, 0, bytes);
    const second = buffers.data(1n, PAYLOAD, bytes);
    expect(second.bytes.buffer).not.toBe(first.bytes.buffer);
    first.release!();
    expect(buffers.data(1n, 0, bytes).bytes.buffer).toBe(first.bytes.buffer);
  });

  it.each([64, 16_400, 32_000, 40_000])(
    'keeps at most twice the bytes of a frame of %i alive, and of its stream',
    (size) => {
      const queue = new OutboundQueue(new Counters(), () => 0);
      queue.grant(0, 256 * 1024);
      const pinned = new Set<ArrayBufferLike>();
      while (queue.outstandingBytes + size <= 256 * 1024) {
        queue.write(new Uint8Array(size)).catch(() => {});
        queue.nextFrame(1n, PAYLOAD, new FrameBuffers())!.release?.();
      }
      for (const kept of queue.replayFrom(0)) pinned.add(kept.buffer);
      const pinnedBytes = [...pinned].reduce((sum, { byteLength }) => sum + byteLength, 0);
      expect(pinnedBytes).toBeLessThanOrEqual(2 * queue.outstandingBytes);
      queue.fail(new Error('over'));
    },
  );
});

describe('the buffers of a process', () => {
  const stops: (() => Promise<void>)[] = [];
  afterEach(() => Promise.all(stops.splice(0).map((stop) => stop())));

  it('keep no more than 1 MiB after bursts on twenty links', async () => {
    await Promise.all(Array.from({ length: 20 }, () => burst()));
    expect(frameBuffers.freeBytes).toBeGreaterThan(0);
    expect(frameBuffers.freeBytes).toBeLessThanOrEqual(1024 * 1024);
  });

  async function burst(): Promise<void> {
    const links = linkPair();
    const [dialled, target] = channelPair();
    const near = createTunnel({ link: releasing(links.a) });
    const far = createTunnel({ link: links.b, onOpen: async () => dialled });
    stops.push(async () => void (await Promise.all([near.close(), far.close()])));
    const stream = await near.open(openRequest());
    const bytes = 2 * 1024 * 1024;
    const writing = stream.write(new Uint8Array(bytes));
    for (let got = 0; got < bytes;) got += (await target.read())!.length;
    await writing;
    await expect.poll(() => near.stats().outstandingBytes).toBeLessThan(256 * 1024);
  }

  /** As a socket does: the bytes are copied out, and needed no more. */
  function releasing(link: FrameLink): FrameLink {
    return {
      send(bytes, release) {
        link.send(bytes.slice());
        if (release) queueMicrotask(release);
      },
      get queuedBytes() {
        return link.queuedBytes;
      },
      listen: (listener) => link.listen(listener),
      close: (code, reason) => link.close(code, reason),
    };
  }
});
