import assert from 'node:assert/strict';
import { encodeData, encodeFrame, LIMITS } from '@streamspace/protocol';
import { patternBytes, until } from './bytes.js';
import { channelPair } from './channel-pair.js';
import { rawPeer } from './raw-peer.js';
import type { TestRunner } from './runner.js';
import { openRequest, type TunnelFixture } from './tunnel-fixture.js';

const WINDOW = LIMITS.initialWindowBytes;

/** What a far end that breaks the protocol gets. */
export function ruleTests({ describe, it }: TestRunner, fx: TunnelFixture): void {
  describe('a peer that breaks the rules', () => {
    /** The far tunnel with a hand-made peer instead of the near one, and one stream open. */
    const withPeer = async () => {
      const peer = rawPeer(fx.connection.a);
      const target = channelPair();
      fx.accepted.set('desk', target[1]);
      fx.far = fx.track({ link: fx.connection.b, onOpen: async () => target[0] });
      peer.send({ kind: 'open', streamId: 7n, credit: WINDOW, request: openRequest() });
      await peer.next('accept');
      return { peer, target: target[1] };
    };
    const stillWorks = async (peer: ReturnType<typeof rawPeer>): Promise<void> => {
      peer.send({ kind: 'ping', streamId: 7n, nonce: 99 });
      assert.equal((await peer.next('pong')).nonce, 99);
      await until('the stream is over', () => fx.far.streams === 0);
    };

    it('is reset with flow_control for data beyond the limit', async () => {
      const { peer } = await withPeer();
      const part = new Uint8Array(32 * 1024);
      for (let offset = 0; offset <= WINDOW + 128 * 1024; offset += part.length)
        peer.sendBytes(encodeData(7n, offset, part));
      assert.equal((await peer.next('reset')).code, 'flow_control');
      await stillWorks(peer);
    });

    it('is reset with flow_control for data before it was accepted', async () => {
      const peer = rawPeer(fx.connection.a);
      fx.far = fx.track({
        link: fx.connection.b,
        onOpen: () => new Promise(() => {}),
        limits: { closeTimeoutMs: 20 },
      });
      peer.send({ kind: 'open', streamId: 7n, credit: WINDOW, request: openRequest() });
      peer.sendBytes(encodeData(7n, 0, Uint8Array.of(1)));
      assert.equal((await peer.next('reset')).code, 'flow_control');
      await stillWorks(peer);
    });

    it('is reset with protocol_error for a wrong offset', async () => {
      const { peer } = await withPeer();
      peer.sendBytes(encodeData(7n, 5, Uint8Array.of(1)));
      assert.equal((await peer.next('reset')).code, 'protocol_error');
      await stillWorks(peer);
    });

    it('is reset with protocol_error for an end at a wrong offset', async () => {
      const { peer } = await withPeer();
      peer.send({ kind: 'end', streamId: 7n, offset: 1 });
      assert.equal((await peer.next('reset')).code, 'protocol_error');
      await stillWorks(peer);
    });

    it('is reset with protocol_error for data after its end', async () => {
      const { peer } = await withPeer();
      peer.send({ kind: 'end', streamId: 7n, offset: 0 });
      peer.sendBytes(encodeData(7n, 0, Uint8Array.of(1)));
      assert.equal((await peer.next('reset')).code, 'protocol_error');
      await stillWorks(peer);
    });

    it('is reset with flow_control when it has consumed more than was sent', async () => {
      const { peer } = await withPeer();
      peer.send({ kind: 'credit', streamId: 7n, consumed: 1, limit: WINDOW });
      assert.equal((await peer.next('reset')).code, 'flow_control');
      await stillWorks(peer);
    });

    it('is reset with flow_control when it grants more than a window may be', async () => {
      const { peer } = await withPeer();
      peer.send({ kind: 'credit', streamId: 7n, consumed: 0, limit: 4 * 1024 * 1024 + 1 });
      assert.equal((await peer.next('reset')).code, 'flow_control');
      await stillWorks(peer);
    });

    it('has frames of unknown kind, late frames and credit that goes back ignored and counted', async () => {
      const { peer, target } = await withPeer();
      peer.sendBytes(Uint8Array.of(200, ...new Uint8Array(17)));
      peer.sendBytes(encodeData(12345n, 0, Uint8Array.of(1)));
      peer.send({ kind: 'credit', streamId: 7n, consumed: 0, limit: 10 });
      peer.send({ kind: 'ping', streamId: 7n, nonce: 1 });
      await peer.next('pong');
      await target.write(patternBytes(100));
      assert.equal((await peer.next('data')).bytes.length, 100);
      assert.equal(fx.far.ignoredFrames, 2);
    });

    it('has a second OPEN of the same id ignored', async () => {
      const { peer, target } = await withPeer();
      peer.send({ kind: 'open', streamId: 7n, credit: WINDOW, request: openRequest() });
      await target.write(Uint8Array.of(5));
      await peer.next('data');
      assert.equal(fx.far.streams, 1);
    });

    it('is reset for a malformed OPEN, and loses the connection for what is no frame at all', async () => {
      const peer = rawPeer(fx.connection.a);
      const errors: unknown[] = [];
      fx.far = fx.track({ link: fx.connection.b, onError: (error) => errors.push(error) });
      const frame = encodeFrame({ kind: 'open', streamId: 9n, credit: 1, request: openRequest() });
      peer.sendBytes(frame.subarray(0, frame.length - 3).slice());
      assert.equal((await peer.next('reset')).code, 'protocol_error');
      peer.sendBytes(Uint8Array.of(3, 2, 1));
      await peer.lost;
      assert.equal(errors.length, 2);
    });

    it('loses the connection for too many frames that cannot be read', async () => {
      const peer = rawPeer(fx.connection.a);
      const errors: unknown[] = [];
      fx.far = fx.track({
        link: fx.connection.b,
        limits: { malformedFrames: 3 },
        onError: (error) => errors.push(error),
      });
      const frame = encodeFrame({ kind: 'open', streamId: 9n, credit: 1, request: openRequest() });
      for (let i = 0; i < 50; i++) peer.sendBytes(frame.subarray(0, frame.length - 3).slice());
      await peer.lost;
      assert.equal(errors.length, 4);
    });

    it('loses the connection when it asks without reading the answers', async () => {
      const peer = rawPeer(fx.connection.a);
      fx.far = fx.track({ link: fx.connection.b, limits: { controlQueueBytes: 1000 } });
      for (let i = 0; i < 200; i++) peer.send({ kind: 'ping', streamId: 1n, nonce: i });
      await peer.lost;
      assert.equal(((await fx.far.closed) as { code?: string }).code, 'link_lost');
    });
  });
}
