import { decodeFrame, LIMITS } from '@streamspace/protocol';
import { describe, expect, it } from 'vitest';
import { FrameBuffers } from '../src/frame-buffers.js';
import { OutboundQueue } from '../src/outbound-queue.js';
import { Counters } from '../src/stats.js';

const WINDOW = LIMITS.initialWindowBytes;
const buffers = new FrameBuffers();

/** The payload sizes of the frames that may be sent now. */
function send(queue: OutboundQueue): number[] {
  const sizes: number[] = [];
  while (queue.ready) {
    const frame = decodeFrame(queue.nextFrame(1n, LIMITS.dataBytes, buffers)!.bytes);
    if (frame.kind === 'data') sizes.push(frame.bytes.length);
  }
  return sizes;
}

const total = (sizes: readonly number[]): number => sizes.reduce((sum, size) => sum + size, 0);

function queue(): OutboundQueue {
  return new OutboundQueue(new Counters(), () => 0);
}

describe('the credit of a stream', () => {
  it('is not used up to the last crumb by bulk, which waits for the CREDIT that is coming', () => {
    const out = queue();
    for (let i = 0; i < 6; i++) void out.write(new Uint8Array(LIMITS.dataBytes));
    out.grant(0, WINDOW);
    expect(send(out)).toEqual(Array(4).fill(LIMITS.dataBytes));
    out.grant(LIMITS.dataBytes, LIMITS.dataBytes + WINDOW);
    expect(send(out)).toEqual([LIMITS.dataBytes]);
  });

  it('carries what fits into it, however little is left', () => {
    const out = queue();
    for (let i = 0; i < 4; i++) void out.write(new Uint8Array(LIMITS.dataBytes));
    out.grant(0, WINDOW);
    send(out);
    void out.write(new Uint8Array(WINDOW - 4 * LIMITS.dataBytes));
    expect(send(out)).toEqual([WINDOW - 4 * LIMITS.dataBytes]);
  });

  it('is used up where it is small: no CREDIT may be coming', () => {
    const out = queue();
    void out.write(new Uint8Array(WINDOW));
    out.grant(0, 100);
    expect(send(out)).toEqual([100]);
    out.grant(0, 65_000);
    expect(total(send(out))).toBe(64_900);
    out.grant(0, 65_300);
    expect(total(send(out))).toBe(300);
  });
});
