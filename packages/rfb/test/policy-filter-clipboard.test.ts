import { describe, expect, it } from 'vitest';
import {
  ClientMessageParser,
  Encoding,
  writeClientCutText,
  writeFramebufferUpdateRequest,
  writeKeyEvent,
  writeSetEncodings,
  writeVersion,
  type RfbPolicy,
} from '@streamspace/rfb';
import { bytes, control, opened, view } from './filter-support.js';
import { concat } from './support.js';

const key = writeKeyEvent(true, 65);
const request = writeFramebufferUpdateRequest(true, { x: 0, y: 0, width: 1, height: 1 });

describe('What a client announces', () => {
  const announced = writeSetEncodings([
    Encoding.raw,
    Encoding.extendedMouseButtons,
    Encoding.extendedClipboard,
  ]);
  const plain = writeSetEncodings([Encoding.raw]);
  const extended = writeSetEncodings([Encoding.raw, Encoding.extendedClipboard]);

  it('is stripped of the extended clipboard where not both directions are allowed', () => {
    expect(opened(control).fromClient(announced)).toEqual(extended);
    for (const clipboard of ['in', 'out', 'none'] as const) {
      expect(opened({ role: 'control', clipboard }).fromClient(announced)).toEqual(plain);
    }
    expect(opened({ role: 'view', clipboard: 'both' }).fromClient(announced)).toEqual(plain);
  });

  it('is announced anew before the first message under another policy', () => {
    const filter = opened(view);
    filter.fromClient(announced);
    filter.policy = control;
    expect(filter.fromClient(key)).toEqual(concat([extended, key]));
    filter.policy = { role: 'control', clipboard: 'out' };
    expect(filter.fromClient(writeClientCutText('secret'))).toEqual(plain);
    expect(filter.fromClient(key)).toEqual(key);
  });

  it('leaves messages that our own parser reads', () => {
    const parser = new ClientMessageParser();
    parser.push(concat([writeVersion(8), bytes(1, 1), opened(view).fromClient(announced)]));
    const read = [];
    for (let next = parser.next(); next; next = parser.next()) read.push(next);
    expect(read.at(-1)).toEqual({ type: 'setEncodings', encodings: [Encoding.raw] });
  });
});

/** The head of a text, and how long it says that the text is. */
function cutText(length: number): Uint8Array {
  const head = bytes(6, 0, 0, 0, 0, 0, 0, 0);
  new DataView(head.buffer).setInt32(4, length);
  return head;
}
const MOST = 1024 * 1024;

describe('A text that is too long', () => {
  const paste: RfbPolicy = { role: 'control', clipboard: 'in' };
  const copy: RfbPolicy = { role: 'control', clipboard: 'out' };
  it.each<[string, RfbPolicy, number, boolean]>([
    ['as long as it may be, passes', paste, MOST, true],
    ['a byte longer, is dropped', paste, MOST + 1, false],
    ['extended, as long as it may be, passes', control, -MOST, true],
    ['extended, a byte longer, is dropped', control, -MOST - 1, false],
    ['is dropped where no text may pass', copy, MOST + 1, false],
    ['is dropped where only watching is allowed', view, MOST + 1, false],
    ['extended, is dropped where only watching is allowed', view, -MOST - 1, false],
  ])('%s, and the stream goes on behind it', (_, policy, length, passes) => {
    const filter = opened(policy);
    filter.fromClient(writeSetEncodings([Encoding.extendedClipboard]));
    const whole = concat([cutText(length), new Uint8Array(Math.abs(length)).fill(4)]);
    const out: Uint8Array[] = [];
    for (let at = 0; at < whole.length; at += 100_003) {
      out.push(filter.fromClient(whole.subarray(at, at + 100_003)).slice());
    }
    expect(Buffer.compare(concat(out), passes ? whole : bytes())).toBe(0);
    expect([filter.dropped, filter.inputs]).toEqual(passes ? [0, 1] : [1, 0]);
    expect(filter.fromClient(request)).toEqual(request);
  });

  it.each([0x7fff_ffff, -0x8000_0000])('may have any length there is: %i', (length) => {
    for (const policy of [view, control]) {
      const filter = opened(policy);
      const chunk = new Uint8Array(1 << 26).fill(4);
      expect(filter.fromClient(cutText(length))).toHaveLength(0);
      for (let left = Math.abs(length); left > 0; left -= chunk.length) {
        expect(filter.fromClient(chunk.subarray(0, Math.min(left, chunk.length)))).toHaveLength(0);
      }
      expect(filter.fromClient(request)).toEqual(request);
      expect(filter.dropped).toBe(1);
    }
  });

  it('is held to the limit that was set', () => {
    const filter = opened(control, { limits: { cutTextBytes: 3 } });
    const kept = writeClientCutText('abc');
    expect(filter.fromClient(concat([writeClientCutText('abcd'), kept, key]))).toEqual(concat([kept, key]));
  });
});

describe('A text of the extended clipboard', () => {
  const ask = concat([cutText(-4), bytes(2, 0, 0, 1)]);
  const announced = writeSetEncodings([Encoding.extendedClipboard]);
  const both = control;

  it.each(['in', 'out', 'none'] as const)('passes not where texts may go: %s', (clipboard) => {
    const filter = opened({ role: 'control', clipboard });
    expect(filter.fromClient(announced)).toEqual(writeSetEncodings([]));
    expect(filter.fromClient(concat([ask, key]))).toEqual(key);
    expect([filter.dropped, filter.inputs]).toEqual([1, 1]);
  });

  it('passes where both ways are allowed once the client has announced it, until it announces other things', () => {
    const filter = opened(both);
    expect(filter.fromClient(ask)).toHaveLength(0);
    expect(filter.fromClient(announced)).toEqual(announced);
    expect(filter.fromClient(ask)).toEqual(ask);
    const fewer = writeSetEncodings([Encoding.raw]);
    expect(filter.fromClient(concat([fewer, ask]))).toEqual(fewer);
  });

  it('passes no longer when the policy takes a way from it, and again when it gives that back', () => {
    const filter = opened(both);
    filter.fromClient(announced);
    filter.policy = { role: 'control', clipboard: 'in' };
    expect(filter.fromClient(ask)).toEqual(writeSetEncodings([]));
    const plain = writeClientCutText('plain');
    expect(filter.fromClient(plain)).toEqual(plain);
    filter.policy = both;
    expect(filter.fromClient(ask)).toEqual(concat([announced, ask]));
  });
});
