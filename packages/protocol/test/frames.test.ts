import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  closeReason,
  decodeFrame,
  encodeFrame,
  FRAME_HEADER_BYTES,
  LIMITS,
  ProtocolError,
  RESET_CODE,
  type Frame,
  type ResetReason,
} from '../src/index.js';

const policy = { role: 'control', clipboard: 'both' } as const;
const attachment = { agentEpoch: 3, viewerAttach: 1 };
const open = { sessionId: 'desk-1', port: 'vnc', policy, edge: 'pod-a', attachment };

const streamId = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const offset = fc.maxSafeNat();
const anyFrame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({ kind: fc.constant('open' as const), streamId, credit: offset, request: fc.constant(open) }),
  fc.record({ kind: fc.constant('accept' as const), streamId, credit: offset }),
  fc.record({
    kind: fc.constant('data' as const),
    streamId,
    offset: fc.integer({ min: 0, max: 2 ** 50 }),
    bytes: fc.uint8Array({ maxLength: 300 }),
  }),
  fc.record({ kind: fc.constant('credit' as const), streamId, consumed: offset, limit: offset }),
  fc.record({ kind: fc.constantFrom('ping' as const, 'pong' as const), streamId, nonce: offset }),
  fc.record({ kind: fc.constant('policy' as const), streamId, policy: fc.constant(policy) }),
  fc.record({ kind: fc.constant('end' as const), streamId, offset }),
  fc.record({
    kind: fc.constant('reset' as const),
    streamId,
    code: fc.constantFrom(...(Object.keys(RESET_CODE) as ResetReason[])),
    reason: fc.string({ maxLength: 50, unit: 'grapheme' }),
  }),
  fc.record({
    kind: fc.constantFrom('resume' as const, 'resumeAck' as const),
    streamId,
    received: offset,
    request: fc.constant({ edge: 'pod-a', attachment }),
  }),
);

describe('stream frames', () => {
  it('come back as they were sent', () => {
    fc.assert(
      fc.property(anyFrame, (frame) => {
        expect(decodeFrame(encodeFrame(frame))).toEqual(frame);
      }),
    );
  });

  it('are laid out as documented', () => {
    const bytes = encodeFrame({
      kind: 'data',
      streamId: 0x0102030405060708n,
      offset: 2 ** 32 + 5,
      bytes: Uint8Array.of(9),
    });
    expect([...bytes]).toEqual([3, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 1, 0, 0, 0, 5, 9]);
    const credit = encodeFrame({ kind: 'credit', streamId: 1n, consumed: 2, limit: 3 });
    expect([...credit]).toEqual([
      4, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3,
    ]);
  });

  it('hold a view of the message, not a copy', () => {
    const message = encodeFrame({ kind: 'data', streamId: 1n, offset: 0, bytes: Uint8Array.of(1, 2, 3) });
    const frame = decodeFrame(message);
    expect(frame.kind === 'data' && frame.bytes.buffer === message.buffer).toBe(true);
  });

  it('throw nothing but ProtocolError, whatever arrives', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        try {
          decodeFrame(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('throw nothing but ProtocolError when one byte is changed or the end is cut off', () => {
    fc.assert(
      fc.property(anyFrame, fc.nat(), fc.nat(255), fc.nat(), (frame, at, value, cut) => {
        const bytes = encodeFrame(frame);
        bytes[at % bytes.length] = value;
        try {
          decodeFrame(bytes.subarray(0, bytes.length - (cut % bytes.length)));
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['too short', new Uint8Array(FRAME_HEADER_BYTES - 1), 'malformed_frame'],
    ['of an unknown kind', Uint8Array.from({ length: 18 }, (_, i) => (i === 0 ? 200 : 0)), 'unknown_frame'],
    [
      'with an offset of 2^53',
      Uint8Array.from({ length: 18 }, (_, i) => (i === 0 ? 2 : i === 11 ? 0x20 : 0)),
      'malformed_frame',
    ],
    [
      'CREDIT without its limit',
      Uint8Array.from({ length: 20 }, (_, i) => (i === 0 ? 4 : 0)),
      'malformed_frame',
    ],
    [
      'OPEN with a body that is no JSON',
      Uint8Array.from({ length: 20 }, (_, i) => (i === 0 ? 1 : 0)),
      'malformed_frame',
    ],
    [
      'DATA above its limit',
      Uint8Array.from({ length: 18 + LIMITS.dataBytes + 1 }, (_, i) => (i === 0 ? 3 : 0)),
      'frame_too_large',
    ],
    [
      'RESET above its limit',
      Uint8Array.from({ length: 18 + LIMITS.frameBodyBytes + 1 }, (_, i) => (i === 0 ? 9 : 0)),
      'frame_too_large',
    ],
  ])('refuse a frame %s', (_what, bytes, code) => {
    expect(() => decodeFrame(bytes)).toThrow(expect.objectContaining({ code }));
  });

  it('ignore flags that they do not know', () => {
    const bytes = encodeFrame({ kind: 'end', streamId: 1n, offset: 4 });
    bytes[1] = 0xff;
    expect(decodeFrame(bytes)).toEqual({ kind: 'end', streamId: 1n, offset: 4 });
  });

  it.each([
    ['x'.repeat(5_000), 'x'.repeat(4_096)],
    ['x'.repeat(4_096), 'x'.repeat(4_096)],
    ['x'.repeat(4_095) + '🖥!', 'x'.repeat(4_095)],
    ['x'.repeat(4_094) + '🖥!', 'x'.repeat(4_094) + '🖥'],
  ])('cut the reason of a reset to 4 096 characters, and cut none in two', (reason, expected) => {
    const bytes = encodeFrame({ kind: 'reset', streamId: 1n, code: 'refused', reason });
    expect(decodeFrame(bytes)).toMatchObject({ kind: 'reset', reason: expected });
  });

  it('read a reset with a code of a later version as internal', () => {
    const bytes = encodeFrame({ kind: 'reset', streamId: 1n, code: 'refused', reason: 'no' });
    bytes[17] = 250;
    expect(decodeFrame(bytes)).toMatchObject({ kind: 'reset', code: 'internal', reason: 'no' });
  });
});

describe('closeReason', () => {
  it.each([
    ['', ''],
    ['done', 'done'],
    ['x'.repeat(200), 'x'.repeat(123)],
    ['ж'.repeat(200), 'ж'.repeat(61)],
    ['🖥'.repeat(200), '🖥'.repeat(30)],
  ])('leaves of %.10s… what 123 bytes can hold, in whole characters', (text, expected) => {
    expect(closeReason(text)).toBe(expected);
  });
});
