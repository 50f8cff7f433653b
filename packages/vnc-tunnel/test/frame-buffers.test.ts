import { encodeData } from '@streamspace/protocol';
import { describe, expect, it } from 'vitest';
import { FrameBuffers } from '../src/frame-buffers.js';

const PAYLOAD = 32 * 1024;

describe('FrameBuffers', () => {
  it('makes the frames of the codec, also in a buffer that was used before', () => {
    const buffers = new FrameBuffers(PAYLOAD);
    buffers.data(1n, 0, new Uint8Array(PAYLOAD).fill(255)).release!();
    const bytes = new Uint8Array(PAYLOAD - 100).fill(3);
    expect(buffers.data(2n ** 63n, 2 ** 40, bytes).bytes).toEqual(encodeData(2n ** 63n, 2 ** 40, bytes));
  });

  it('uses a buffer again only once it was released', () => {
    const buffers = new FrameBuffers(PAYLOAD);
    const bytes = new Uint8Array(PAYLOAD);
    const first = buffers.data(1n, 0, bytes);
    const second = buffers.data(1n, PAYLOAD, bytes);
    expect(second.bytes.buffer).not.toBe(first.bytes.buffer);
    first.release!();
    expect(buffers.data(1n, 0, bytes).bytes.buffer).toBe(first.bytes.buffer);
  });

  it('does not keep a buffer of a whole quantum for a small frame', () => {
    const { bytes, release } = new FrameBuffers(PAYLOAD).data(1n, 0, new Uint8Array(64));
    expect(bytes.buffer.byteLength).toBe(18 + 64);
    expect(release).toBe(undefined);
  });
});
