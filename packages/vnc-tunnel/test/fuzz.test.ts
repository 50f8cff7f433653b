import { encodeFrame, FRAME_KIND, type Frame } from '@streamspace/protocol';
import { createTunnel, type FrameLink, type FrameLinkListener } from '@streamspace/vnc-tunnel';
import { channelPair, openRequest } from '@streamspace/vnc-tunnel/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const streamId = fc.constantFrom(1n, 2n, 3n);
const offset = fc.oneof(fc.nat(64), fc.maxSafeNat());
const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({
    kind: fc.constant('open' as const),
    streamId,
    credit: offset,
    request: fc.constant(openRequest()),
  }),
  fc.record({ kind: fc.constant('accept' as const), streamId, credit: offset }),
  fc.record({
    kind: fc.constant('data' as const),
    streamId,
    offset: fc.nat(64),
    bytes: fc.uint8Array({ maxLength: 32 }),
  }),
  fc.record({ kind: fc.constant('credit' as const), streamId, consumed: offset, limit: offset }),
  fc.record({ kind: fc.constant('ping' as const), streamId, nonce: offset }),
  fc.record({ kind: fc.constant('end' as const), streamId, offset: fc.nat(64) }),
  fc.record({
    kind: fc.constant('reset' as const),
    streamId,
    code: fc.constant('cancelled' as const),
    reason: fc.string(),
  }),
);
/** Well-formed frames in any order, broken ones, and noise. */
const message = fc.oneof(
  frame.map(encodeFrame),
  fc.tuple(frame, fc.nat(), fc.nat(255)).map(([valid, at, byte]) => {
    const bytes = encodeFrame(valid);
    bytes[at % bytes.length] = byte;
    return bytes;
  }),
  fc
    .tuple(fc.constantFrom(...Object.values(FRAME_KIND)), fc.uint8Array({ maxLength: 40 }))
    .map(([kind, rest]) => Uint8Array.of(kind, ...rest)),
);

describe('a tunnel under any sequence of messages', () => {
  it('throws nothing, and holds nothing after close', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(message, { maxLength: 40 }), async (messages) => {
        let listener: FrameLinkListener | undefined;
        const link: FrameLink = {
          queuedBytes: 0,
          send: () => {},
          listen: (given) => {
            listener = given;
            return () => {};
          },
          close: () => {},
        };
        const tunnel = createTunnel({ link, onOpen: async () => channelPair()[0] });
        for (const [i, bytes] of messages.entries()) {
          listener!.onFrame(bytes);
          if (i % 8 === 0) await Promise.resolve();
        }
        await tunnel.close();
        expect(tunnel.streams).toBe(0);
      }),
      { numRuns: 500 },
    );
  });
});
