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

  it('does not add to a chunk that the reader has', async () => {
    const queue = new InboundQueue(() => {});
    queue.push(Uint8Array.of(1));
    queue.push(Uint8Array.of(2));
    queue.push(Uint8Array.of(3));
    const first = await queue.read();
    const second = await queue.read();
    queue.push(Uint8Array.of(4));
    expect([...first!, ...second!]).toEqual([1, 2, 3]);
    expect([...(await queue.read())!]).toEqual([4]);
  });

  it('drops what is queued when it fails, also after an end', async () => {
    const queue = new InboundQueue(() => {});
    queue.push(Uint8Array.of(1));
    queue.end();
    queue.fail(new Error('gone'));
    expect(queue.finished).toBe(true);
    await expect(queue.read()).rejects.toThrow('gone');
  });
});
