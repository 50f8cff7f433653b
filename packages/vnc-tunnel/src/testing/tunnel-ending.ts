import assert from 'node:assert/strict';
import { LIMITS } from '@streamspace/protocol';
import { patternBytes, readAll, sameBytes, until, writeUntilStalled } from './bytes.js';
import type { TestRunner } from './runner.js';
import { hasCode, openRequest, type TunnelFixture } from './tunnel-fixture.js';

const WINDOW = LIMITS.initialWindowBytes;

/** Every way in which a stream or a tunnel ends. */
export function endingTests({ describe, it, beforeEach }: TestRunner, fx: TunnelFixture): void {
  describe('ending', () => {
    beforeEach(() => fx.both());

    it('half-closes each way by itself and leaves nothing', async () => {
      const [stream, target] = await fx.open();
      const question = patternBytes(400_000);
      await Promise.all([
        stream.write(question).then(() => stream.end()),
        readAll(target).then((bytes) => assert.ok(sameBytes(bytes, question))),
      ]);
      const answer = patternBytes(400_000, 3);
      const reading = readAll(stream);
      await target.write(answer);
      await target.end();
      assert.ok(sameBytes(await reading, answer));
      assert.equal(await stream.closed, undefined);
      await until('both sides released it', () => fx.near.streams + fx.far.streams === 0);
    });

    it('resets the far channel with the reason when one side aborts', async () => {
      const [stream, target] = await fx.open();
      const reading = target.read();
      stream.abort(new Error('the viewer left'));
      await assert.rejects(reading, /the viewer left/);
      await until('both sides released it', () => fx.near.streams + fx.far.streams === 0);
    });

    it('fails here when the channel behind the far side fails', async () => {
      const [stream, target] = await fx.open();
      target.abort(new Error('the desktop crashed'));
      await assert.rejects(stream.read(), /the desktop crashed/);
      assert.ok(await stream.closed);
    });

    it('resets all streams on close, waits for the far channel to be released, and leaves the link open', async () => {
      const [stream, target] = await fx.open();
      const reading = assert.rejects(stream.read(), hasCode('going_away'));
      const closing = fx.far.close();
      assert.equal(fx.far.close(), closing);
      await closing;
      assert.ok(await target.closed);
      await reading;
      assert.equal(await fx.far.closed, undefined);
      await assert.rejects(fx.far.open(openRequest()), hasCode('closed'));
      assert.equal(fx.near.streams, 0);
    });

    it('fails all streams with the reason of an abort', async () => {
      const [stream] = await fx.open();
      const reason = new Error('revoked');
      fx.near.abort(reason);
      await assert.rejects(stream.read(), reason);
      assert.equal(await fx.near.closed, reason);
      await until('the far side released it', () => fx.far.streams === 0);
    });

    it('fails everything with link_lost when the connection goes', async () => {
      const [stream, target] = await fx.open();
      const { pending } = await writeUntilStalled(stream, 64 * 1024, 8 * WINDOW, 50);
      const failing = Promise.all([
        assert.rejects(stream.read(), hasCode('link_lost')),
        assert.rejects(pending!, hasCode('link_lost')),
      ]);
      fx.connection.cut();
      await failing;
      assert.equal(((await stream.closed) as { code?: string }).code, 'link_lost');
      assert.equal(((await fx.near.closed) as { code?: string }).code, 'link_lost');
      await assert.rejects(fx.near.open(openRequest()), hasCode('link_lost'));
      assert.ok(await target.closed);
      assert.equal(fx.near.streams, 0);
      await until('the far side released it', () => fx.far.streams === 0);
    });

    it('fails an open in flight when the connection goes', async () => {
      const opening = fx.near.open(openRequest());
      fx.connection.cut();
      await assert.rejects(opening, hasCode('link_lost'));
    });
  });
}
