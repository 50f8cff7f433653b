import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Counters } from '../src/stats.js';
import { FrameBuffers } from '../src/frame-buffers.js';
import { OutboundQueue } from '../src/outbound-queue.js';
import { ReplayBytes } from '../src/replay-bytes.js';
import { patternBytes } from '../src/testing/bytes.js';

const QUANTUM = 50 * 1024;

const concat = (parts: Iterable<Uint8Array>): Buffer => Buffer.concat([...parts]);

describe('ReplayBytes', () => {
  it('has what was sent and not consumed, from any offset, whatever was added and dropped', () => {
    const all = patternBytes(2 ** 20);
    const step = fc.record({
      size: fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 40_000 })),
      consume: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const replay = new ReplayBytes();
        let sent = 0;
        let consumed = 0;
        const released: number[] = [];
        for (const [i, { size, consume }] of steps.entries()) {
          replay.keep(sent, all.subarray(sent, sent + size), () => released.push(i));
          sent += size;
          if (consume !== undefined) consumed += Math.floor((sent - consumed) * consume);
          replay.consumed(consumed);
          expect(concat(replay.from(consumed)).equals(all.subarray(consumed, sent))).toBe(true);
        }
        replay.clear();
        expect(new Set(released).size).toBe(steps.length);
        expect(released).toHaveLength(steps.length);
        expect(replay.heldBytes).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  it('holds key presses in little more than their own bytes', () => {
    const replay = new ReplayBytes();
    for (let offset = 0; offset < 80_000; offset += 8) replay.keep(offset, new Uint8Array(8));
    expect(replay.heldBytes).toBeLessThan(80_000 + 8 * 1024);
    const one = new ReplayBytes();
    one.keep(0, new Uint8Array(8));
    expect(one.heldBytes).toBe(64);
  });

  it('opens no large block for a small chunk behind a large one', () => {
    const replay = new ReplayBytes();
    let sent = 0;
    for (let i = 0; i < 200; i++) {
      for (const size of [4_096, 1]) {
        replay.keep(sent, new Uint8Array(size));
        sent += size;
      }
    }
    expect(replay.heldBytes).toBeLessThan(1.1 * sent);
  });
});

describe('the bytes that a stream keeps', () => {
  it('are those that were sent and not reported as consumed, in buffers that come back afterwards', () => {
    const queue = new OutboundQueue(new Counters(), () => 0);
    const buffers = new FrameBuffers();
    const bytes = patternBytes(300_000);
    queue.write(bytes).catch(() => {});
    queue.grant(0, 200_000);
    const used = new Set<ArrayBufferLike>();
    while (queue.ready) {
      const { bytes: frame, release } = queue.nextFrame(1n, QUANTUM, buffers)!;
      release?.();
      used.add(frame.buffer);
    }
    expect(used.size).toBe(4);
    expect(concat(queue.replayFrom(50_000)).equals(bytes.subarray(50_000, 200_000))).toBe(true);
    queue.grant(200_000, 260_000);
    expect(concat(queue.replayFrom(200_000))).toHaveLength(0);
    expect(used.has(queue.nextFrame(1n, QUANTUM, buffers)!.bytes.buffer)).toBe(true);
    queue.fail(new Error('over'));
    expect(concat(queue.replayFrom(0))).toHaveLength(0);
  });
});
