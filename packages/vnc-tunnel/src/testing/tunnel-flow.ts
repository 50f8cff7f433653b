import assert from 'node:assert/strict';
import { LIMITS } from '@streamspace/protocol';
import { patternBytes, readAtLeast, sameBytes, writeUntilStalled } from './bytes.js';
import type { TestRunner } from './runner.js';
import type { TunnelFixture } from './tunnel-fixture.js';

const WINDOW = LIMITS.initialWindowBytes;

/** Backpressure, isolation, fairness and the bound of the link queue. */
export function flowTests({ describe, it }: TestRunner, fx: TunnelFixture): void {
  describe('flow control', () => {
    it('lets a sender have one window outstanding, and no more, while the reader stalls', async () => {
      fx.both({ limits: { maxWindowBytes: WINDOW } });
      const [stream, target] = await fx.open();
      // Not at the start only: what was granted for bytes that were consumed counts too.
      const before = 4 * WINDOW;
      await Promise.all([stream.write(new Uint8Array(before)), readAtLeast(target, before)]);
      const { written, pending } = await writeUntilStalled(stream, 16 * 1024, 4 * WINDOW, 300);
      // Besides the window: what the far side had dealt with, which fits into its channel's buffer.
      assert.ok(written <= WINDOW + 64 * 1024 + LIMITS.dataBytes, `${written} bytes went out`);
      assert.ok(written >= WINDOW - 16 * 1024, `only ${written} bytes went out`);
      const reading = readAtLeast(target, written + 16 * 1024);
      await pending;
      await reading;
    });

    it('does not delay a stream because another one stalls', async () => {
      fx.both();
      const [stalled] = await fx.open('stalled');
      const [lively, target] = await fx.open('lively');
      const { pending } = await writeUntilStalled(stalled, 64 * 1024, 8 * WINDOW, 50);
      pending?.catch(() => {});
      const bytes = patternBytes(1_000_000);
      const reading = readAtLeast(target, bytes.length);
      await lively.write(bytes);
      assert.ok(sameBytes(await reading, bytes));
      stalled.abort();
    });

    it('shares the link evenly among busy streams', async () => {
      fx.both();
      const pairs = await Promise.all(['a', 'b', 'c', 'd'].map((name) => fx.open(name)));
      const counts = pairs.map(() => 0);
      const total = 8_000_000;
      const sum = (): number => counts.reduce((x, y) => x + y, 0);
      const jobs = pairs.map(async ([stream, target], i) => {
        const writing = (async () => {
          for (;;) await stream.write(new Uint8Array(200_000));
        })().catch(() => {});
        while (sum() < total) counts[i]! += (await target.read())!.length;
        stream.abort();
        await writing;
      });
      await Promise.all(jobs);
      const squares = counts.reduce((x, y) => x + y * y, 0);
      const jain = sum() ** 2 / (counts.length * squares);
      assert.ok(jain > 0.95, `Jain index ${jain.toFixed(3)} of ${counts.join(', ')}`);
    });

    it('keeps the link queue within its limit, so that others need not wait behind it', async () => {
      fx.both();
      let highest = 0;
      const { a } = fx.connection;
      const [stream, target] = await fx.open();
      const reading = readAtLeast(target, 4_000_000);
      let over = false;
      const watching = (async () => {
        while (!over) {
          highest = Math.max(highest, a.queuedBytes);
          await new Promise((resolve) => setImmediate(resolve));
        }
      })();
      await stream.write(new Uint8Array(4_000_000));
      await reading;
      over = true;
      await watching;
      assert.ok(highest <= 128 * 1024 + LIMITS.dataBytes, `${highest} bytes were queued`);
    });
  });
}
