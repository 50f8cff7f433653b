import { describe, expect, it } from 'vitest';
import { InboundQueue } from '../src/inbound-queue.js';

describe('InboundQueue', () => {
  it('counts a chunk as consumed only when the next one is asked for', async () => {
    const consumed: number[] = [];
    const queue = new InboundQueue((bytes) => consumed.push(bytes));
    queue.push(new Uint8Array(10));
    await queue.read();
    expect(consumed.reduce((a, b) => a + b, 0)).toBe(0);
    const pending = queue.read();
    expect(consumed.reduce((a, b) => a + b, 0)).toBe(10);
    queue.push(new Uint8Array(5));
    await pending;
    expect(consumed.reduce((a, b) => a + b, 0)).toBe(10);
    queue.end();
    await queue.read();
    expect(consumed.reduce((a, b) => a + b, 0)).toBe(15);
  });

  it('gathers single bytes in blocks and keeps their order', async () => {
    const queue = new InboundQueue(() => {});
    const sent = Array.from({ length: 20_000 }, (_, i) => i % 251);
    for (const byte of sent) queue.push(Uint8Array.of(byte));
    queue.end();
    const got: number[] = [];
    let chunks = 0;
    for (let chunk = await queue.read(); chunk; chunk = await queue.read()) {
      got.push(...chunk);
      chunks++;
    }
    expect(got).toEqual(sent);
    expect(chunks).toBeLessThanOrEqual(5);
  });

  it('does not keep the buffer behind a small view', async () => {
    const queue = new InboundQueue(() => {});
    queue.push(new Uint8Array(64 * 1024).subarray(0, 3));
    expect((await queue.read())?.buffer.byteLength).toBe(3);
  });

  it('keeps no more than twice its bytes alive, whatever they are views of', async () => {
    const READ = 64 * 1024;
    const sizes = [
      [5_000, 60_000],
      [30_000, 30_000],
      [40_000, 3],
      [3, 3, 5_000, 3, 3, 5_000],
      [4_096, 1, 4_096, 1, 1],
      Array.from({ length: 60 }, (_, i) => 1_000 + i),
    ];
    for (const chunks of sizes) {
      const queue = new InboundQueue(() => {});
      for (let i = 0; i < 300; i++) {
        const read = new Uint8Array(READ).fill(i);
        let at = 0;
        // The streams take turns: of each read only every other chunk is this one's.
        for (const [turn, size] of chunks.entries()) {
          if (chunks.length === 1 || turn % 2 === i % 2) queue.push(read.subarray(at, at + size));
          at += size;
        }
      }
      const unread = queue.queuedBytes;
      queue.end();
      const pinned = new Set<ArrayBufferLike>();
      for (let chunk = await queue.read(); chunk; chunk = await queue.read()) pinned.add(chunk.buffer);
      const pinnedBytes = [...pinned].reduce((sum, { byteLength }) => sum + byteLength, 0);
      expect(pinnedBytes / unread).toBeLessThanOrEqual(2);
    }
  });

  it('does not copy a full frame', async () => {
    const queue = new InboundQueue(() => {});
    const message = new Uint8Array(64 * 1024);
    queue.push(message.subarray(18));
    queue.push(message.subarray(18));
    expect((await queue.read())!.buffer).toBe(message.buffer);
  });

  it('does not add to a chunk that the reader has', async () => {
    const queue = new InboundQueue(() => {});
    for (const byte of [1, 2, 3]) queue.push(Uint8Array.of(byte));
    const first = await queue.read();
    for (const byte of [4, 5]) queue.push(Uint8Array.of(byte));
    const second = await queue.read();
    queue.push(Uint8Array.of(6));
    expect([[...first!], [...second!], [...(await queue.read())!]]).toEqual([[1, 2, 3], [4, 5], [6]]);
  });

  it('drops what is queued when it fails, also after an end', async () => {
    const queue = new InboundQueue(() => {});
    queue.push(Uint8Array.of(1));
    queue.end();
    queue.fail(new Error('gone'));
    expect(queue.queuedBytes).toBe(0);
    expect(queue.finished).toBe(true);
    await expect(queue.read()).rejects.toThrow('gone');
  });
});
