import assert from 'node:assert/strict';
import type { OpenRequest } from '@streamspace/protocol';
import type { ByteChannel } from '../byte-channel.js';
import { patternBytes, readAtLeast, sameBytes, until } from './bytes.js';
import { channelPair } from './channel-pair.js';
import type { TestRunner } from './runner.js';
import { hasCode, openRequest, type TunnelFixture } from './tunnel-fixture.js';

/** Opening streams: accepted, refused, given up, too many. */
export function openingTests({ describe, it }: TestRunner, fx: TunnelFixture): void {
  describe('opening', () => {
    it('hands the request to the far side and carries bytes both ways', async () => {
      const requests: OpenRequest[] = [];
      fx.both({
        onOpen: async (request) => {
          requests.push(request);
          return fx.accept(request);
        },
      });
      const [stream, target] = await fx.open();
      assert.deepEqual(requests, [openRequest()]);
      const there = patternBytes(2_000_000);
      const back = patternBytes(1_500_000, 2);
      const [gotThere, gotBack] = await Promise.all([
        readAtLeast(target, there.length),
        readAtLeast(stream, back.length),
        stream.write(there),
        target.write(back),
      ]);
      assert.ok(sameBytes(gotThere, there));
      assert.ok(sameBytes(gotBack, back));
    });

    it('sends nothing of a channel before it is accepted, and all of it afterwards', async () => {
      const greeting = patternBytes(12);
      fx.both({
        onOpen: async () => {
          const [mine, theirs] = channelPair();
          await theirs.write(greeting);
          return mine;
        },
      });
      const stream = await fx.near.open(openRequest());
      assert.ok(sameBytes(await readAtLeast(stream, 12), greeting));
      stream.abort();
    });

    for (const code of ['session_not_found', 'connect_failed', 'refused', 'limit_reached'])
      it(`rejects with ${code} when the far side does`, async () => {
        fx.both({
          onOpen: async () => {
            throw Object.assign(new Error('no such desk'), { code });
          },
        });
        await assert.rejects(fx.near.open(openRequest()), (error) => {
          assert.equal((error as Error).message, 'no such desk');
          return hasCode(code)(error);
        });
        await until('no stream left', () => fx.near.streams + fx.far.streams === 0);
      });

    it('rejects with connect_failed when the far side fails without a code', async () => {
      fx.both({
        onOpen: () => {
          throw new Error('broken');
        },
      });
      await assert.rejects(fx.near.open(openRequest()), hasCode('connect_failed'));
    });

    it('is refused where nothing is accepted', async () => {
      fx.near = fx.track({ link: fx.connection.a });
      fx.far = fx.track({ link: fx.connection.b });
      await assert.rejects(fx.near.open(openRequest()), hasCode('refused'));
    });

    it('gives up when its signal aborts, and tells the far side to stop dialling', async () => {
      let dialSignal: AbortSignal | undefined;
      fx.both({
        onOpen: (_request, signal) => {
          dialSignal = signal;
          return new Promise((_resolve, reject) =>
            signal.addEventListener('abort', () => reject(new Error('stopped'))),
          );
        },
      });
      const controller = new AbortController();
      const opening = fx.near.open(openRequest(), { signal: controller.signal });
      await until('the dial began', () => dialSignal !== undefined);
      const reason = new Error('the viewer left');
      controller.abort(reason);
      await assert.rejects(opening, reason);
      await until('the dial was stopped', () => dialSignal!.aborted && fx.far.streams === 0);
      assert.equal(fx.near.streams, 0);
    });

    it('rejects with timeout when the far side does not answer, and aborts a channel that comes later', async () => {
      let finish: (channel: ByteChannel) => void = () => {};
      fx.both({ onOpen: () => new Promise((resolve) => (finish = resolve)) });
      await assert.rejects(fx.near.open(openRequest(), { timeoutMs: 30 }), hasCode('timeout'));
      await until('the far side gave up', () => fx.far.streams === 0);
      const [late, other] = channelPair();
      finish(late);
      assert.ok(await other.closed);
    });

    it('keeps the limit of streams on both sides', async () => {
      fx.both({ limits: { streams: 2 } });
      const streams = await Promise.all([fx.near.open(openRequest('a')), fx.near.open(openRequest('b'))]);
      await assert.rejects(fx.near.open(openRequest('c')), hasCode('limit_reached'));
      streams[0].abort();
      await until('one is over', () => fx.far.streams === 1);
      (await fx.near.open(openRequest('d'))).abort();
      streams[1].abort();
    });

    it('keeps the limit of opens in flight', async () => {
      fx.both(
        { onOpen: () => new Promise(() => {}), limits: { closeTimeoutMs: 20 } },
        { limits: { opensInFlight: 1 } },
      );
      const first = fx.near.open(openRequest());
      await assert.rejects(fx.near.open(openRequest()), hasCode('limit_reached'));
      fx.near.abort();
      await assert.rejects(first, hasCode('closed'));
    });
  });
}
