import assert from 'node:assert/strict';
import type { ByteChannel } from '../byte-channel.js';
import { patternBytes, readAll, readAtLeast, sameBytes, writeUntilStalled } from './bytes.js';
import type { TestRunner } from './runner.js';

export interface ChannelContractSubject {
  /** What is under test, for the names of the tests. */
  name: string;
  /** Two connected channels and how to release what is behind them. */
  connect(): Promise<{ a: ByteChannel; b: ByteChannel; release(): Promise<void> }>;
  /** Why an end of one direction ends the other as well, where the medium knows no half-close. */
  noHalfClose?: string;
  /** The most that a writer may get rid of while nobody reads, kernel buffers included. @default 33_554_432 */
  maxBufferedBytes?: number;
}

/** What every {@link ByteChannel} has to show. */
export function channelContract(runner: TestRunner, subject: ChannelContractSubject): void {
  const { describe, it, beforeEach, afterEach } = runner;
  const maxBufferedBytes = subject.maxBufferedBytes ?? 32 * 1024 * 1024;

  describe(`byte channel contract: ${subject.name}`, () => {
    let a: ByteChannel;
    let b: ByteChannel;
    let release: () => Promise<void>;

    beforeEach(async () => {
      ({ a, b, release } = await subject.connect());
    });
    afterEach(async () => {
      a.abort();
      b.abort();
      await Promise.all([a.closed, b.closed]);
      await release();
    });

    it('carries bytes both ways, unchanged and in order', async () => {
      const sent = patternBytes(3_000_000);
      const back = patternBytes(100_000, 2);
      const write = async (channel: ByteChannel, bytes: Uint8Array, step: number): Promise<void> => {
        for (let at = 0; at < bytes.length; at += step) await channel.write(bytes.subarray(at, at + step));
      };
      const [there, here] = await Promise.all([
        readAtLeast(b, sent.length),
        readAtLeast(a, back.length),
        write(a, sent, 70_001),
        write(b, back, 977),
      ]);
      assert.ok(sameBytes(there, sent));
      assert.ok(sameBytes(here, back));
    });

    it('returns a read as soon as a byte is there, and never an empty chunk', async () => {
      const read = b.read();
      await a.write(new Uint8Array(0));
      await a.write(Uint8Array.of(42));
      assert.deepEqual([...(await read)!], [42]);
    });

    it('does not look at a chunk again after its write has settled', async () => {
      const chunk = patternBytes(10_000);
      const expected = chunk.slice();
      await a.write(chunk);
      chunk.fill(0);
      assert.ok(sameBytes(await readAtLeast(b, expected.length), expected));
    });

    it('gives what was written before the end, then null, also when asked again', async () => {
      const sent = patternBytes(200_000);
      const reading = readAll(b);
      await a.write(sent);
      await a.end();
      assert.ok(sameBytes(await reading, sent));
      assert.equal(await b.read(), null);
    });

    it('settles closed with nothing once both ends have ended', async () => {
      await Promise.all([readAll(a), readAll(b), a.end(), b.end()]);
      assert.deepEqual(await Promise.all([a.closed, b.closed]), [undefined, undefined]);
    });

    it('ends more than once without complaint, and takes no write afterwards', async () => {
      await Promise.all([a.end(), a.end()]);
      await assert.rejects(a.write(Uint8Array.of(1)));
    });

    if (subject.noHalfClose === undefined)
      it('goes on reading after its own end', async () => {
        await a.end();
        assert.equal(await b.read(), null);
        const late = patternBytes(50_000);
        const reading = readAll(a);
        await b.write(late);
        await b.end();
        assert.ok(sameBytes(await reading, late));
      });
    else
      it(`ends reading too after its own end: ${subject.noHalfClose}`, async () => {
        await a.end();
        assert.equal(await b.read(), null);
        assert.equal(await a.read(), null);
      });

    it('stops a writer whose reader does not read, and lets it go on when it does', async () => {
      const { written, pending } = await writeUntilStalled(a, 64 * 1024, maxBufferedBytes);
      assert.ok(pending, `${written} bytes were taken without a reader`);
      const reading = readAtLeast(b, written + 64 * 1024);
      await pending;
      assert.equal((await reading).length, written + 64 * 1024);
    });

    it('settles pending reads and writes with the reason when it is aborted', async () => {
      const { pending } = await writeUntilStalled(a, 64 * 1024, maxBufferedBytes);
      const reason = new Error('enough');
      const results = Promise.allSettled([a.read(), pending]);
      a.abort(reason);
      for (const result of await results) assert.equal(result.status === 'rejected' && result.reason, reason);
      await assert.rejects(a.read(), reason);
      await assert.rejects(a.write(Uint8Array.of(1)), reason);
      assert.equal(await a.closed, reason);
    });

    it('fails or ends at the far end of an abort', async () => {
      const reading = readAll(b);
      a.abort(new Error('enough'));
      await reading.catch(() => {});
      b.abort();
      await b.closed;
      await assert.rejects(b.write(Uint8Array.of(1)));
    });

    it('aborts more than once, and after closing, without complaint', async () => {
      a.abort(new Error('first'));
      a.abort(new Error('second'));
      assert.equal((await a.closed)?.message, 'first');
      a.abort(new Error('third'));
      assert.equal((await a.closed)?.message, 'first');
    });

    it('says that all was consumed once the far end has read it, where it can say so', async () => {
      const reading = readAll(b);
      await a.write(patternBytes(100_000));
      await a.end();
      await a.delivered?.();
      assert.equal((await reading).length, 100_000);
    });

    it('says so no more when it is aborted before', async () => {
      const { pending } = await writeUntilStalled(a, 64 * 1024, maxBufferedBytes);
      const reason = new Error('enough');
      const results = Promise.allSettled([pending, a.end(), a.delivered?.() ?? Promise.reject(reason)]);
      a.abort(reason);
      const delivered = (await results)[2];
      assert.equal(delivered.status === 'rejected' && delivered.reason, reason);
    });

    it('refuses a second read while one is pending', async () => {
      const first = a.read();
      await assert.rejects(a.read(), TypeError);
      await b.write(Uint8Array.of(7));
      assert.deepEqual([...(await first)!], [7]);
    });
  });
}
