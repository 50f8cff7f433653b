import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ClientMessageParser,
  Encoding,
  NATIVE_PIXEL_FORMAT,
  RfbError,
  ServerMessageParser,
  writeBell,
  writeClientCutText,
  writeFramebufferUpdateRequest,
  writeKeyEvent,
  writePointerEvent,
  writeSecurityResult,
  writeServerCutText,
  writeServerInit,
  writeSetDesktopSize,
  writeSetEncodings,
  writeSetPixelFormat,
  writeVersion,
} from '@streamspace/rfb';
import { concat } from './support.js';

const screen = { id: 7, x: 0, y: 0, width: 1024, height: 768, flags: 0 };

/** Every message that a client can send, after a 3.8 handshake. */
const clientStream = concat([
  writeVersion(8),
  Uint8Array.of(1, 1),
  writeSetPixelFormat({
    ...NATIVE_PIXEL_FORMAT,
    bitsPerPixel: 16,
    depth: 16,
    redMax: 31,
    greenMax: 63,
    blueMax: 31,
    redShift: 11,
    greenShift: 5,
  }),
  writeSetEncodings([0, 1, -239, -308]),
  writeFramebufferUpdateRequest(true, { x: 1, y: 2, width: 300, height: 400 }),
  writeKeyEvent(true, 0xff0d),
  writePointerEvent(5, 640, 480),
  writeClientCutText('Grüße'),
  writeClientCutText(''),
  Uint8Array.of(6, 0, 0, 0, 0xff, 0xff, 0xff, 0xfc, 1, 2, 3, 4),
  Uint8Array.of(150, 1, 0, 0, 0, 0, 0, 10, 0, 20),
  Uint8Array.of(248, 0, 0, 0, 0x80, 0, 0, 3, 3, 9, 8, 7),
  Uint8Array.of(250, 0, 1, 2),
  writeSetDesktopSize(1024, 768, [screen]),
  Uint8Array.of(255, 0, 0, 1, 0, 0, 0, 0x61, 0, 0, 0, 0x1e),
  writeKeyEvent(false, 0xff0d),
]);

const rectHead = (x: number, y: number, width: number, height: number, encoding: number): Uint8Array => {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  [x, y, width, height].forEach((value, index) => view.setUint16(index * 2, value));
  view.setInt32(8, encoding);
  return bytes;
};
const pixels = (count: number): Uint8Array => Uint8Array.from({ length: count * 4 }, (_, index) => index * 7);

const serverStream = concat([
  writeVersion(8),
  Uint8Array.of(2, 1, 2),
  writeSecurityResult(),
  writeServerInit(64, 48, NATIVE_PIXEL_FORMAT, 'Büro'),
  Uint8Array.of(0, 0, 0, 5),
  rectHead(0, 0, 3, 2, Encoding.raw),
  pixels(6),
  rectHead(5, 6, 7, 8, Encoding.copyRect),
  Uint8Array.of(0, 1, 0, 2),
  rectHead(1, 1, 9, 2, Encoding.cursor),
  pixels(18),
  Uint8Array.of(0xff, 0x80, 0x01, 0x00),
  rectHead(0, 0, 80, 60, Encoding.desktopSize),
  rectHead(1, 0, 90, 70, Encoding.extendedDesktopSize),
  Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 90, 0, 70, 0, 0, 0, 0),
  writeBell(),
  Uint8Array.of(1, 0, 0, 3, 0, 1, 0, 1, 0, 2, 0, 3),
  writeServerCutText('Grüße'),
  Uint8Array.of(0, 0, 0xff, 0xff),
  rectHead(0, 0, 1, 1, Encoding.raw),
  pixels(1),
  rectHead(0, 0, 0, 0, Encoding.lastRect),
  Uint8Array.of(0, 0, 0, 0),
  writeBell(),
]);

interface Parser {
  push(bytes: Uint8Array): void;
  next(): unknown;
  finish(): void;
}

function parse(parser: Parser, fragments: readonly Uint8Array[]): unknown[] {
  const messages: unknown[] = [];
  for (const fragment of fragments) {
    // The buffer is used again, as a socket's may be: the parser must not keep it.
    const lent = fragment.slice();
    parser.push(lent);
    lent.fill(0xee);
    for (let message = parser.next(); message; message = parser.next()) messages.push(message);
  }
  parser.finish();
  return messages;
}

const directions = [
  { name: 'client', stream: clientStream, make: (): Parser => new ClientMessageParser() },
  { name: 'server', stream: serverStream, make: (): Parser => new ServerMessageParser() },
];

describe.each(directions)('The parser of what a $name sends', ({ stream, make }) => {
  const whole = parse(make(), [stream]);

  it('reads every message of a stream that comes in one piece', () => {
    expect(whole).toMatchSnapshot();
  });

  it('reads the same from any two pieces', () => {
    for (let cut = 0; cut <= stream.length; cut++) {
      expect(parse(make(), [stream.subarray(0, cut), stream.subarray(cut)])).toEqual(whole);
    }
  });

  it('reads the same byte by byte', () => {
    expect(
      parse(
        make(),
        Array.from(stream, (byte) => Uint8Array.of(byte)),
      ),
    ).toEqual(whole);
  });

  it('reads the same from any pieces', () => {
    const cuts = fc.array(fc.nat({ max: stream.length }), { maxLength: 20 });
    const property = fc.property(cuts, (places) => {
      const sorted = [0, ...places.sort((a, b) => a - b), stream.length];
      const pieces = sorted.slice(1).map((end, index) => stream.subarray(sorted[index], end));
      expect(parse(make(), pieces)).toEqual(whole);
    });
    fc.assert(property, { numRuns: 200 });
  });

  it('throws nothing but RfbError, whatever it is fed', () => {
    const property = fc.property(
      fc.nat({ max: stream.length }),
      fc.uint8Array({ maxLength: 200 }),
      (cut, garbage) => {
        try {
          parse(make(), [stream.subarray(0, cut), garbage]);
        } catch (error) {
          expect(error).toBeInstanceOf(RfbError);
        }
      },
    );
    fc.assert(property, { numRuns: 1000 });
  });

  it('says that a stream was cut inside a message', () => {
    expect(() => parse(make(), [stream.subarray(0, 5)])).toThrow(
      expect.objectContaining({ code: 'truncated' }),
    );
  });

  it('throws its error again instead of reading on', () => {
    const parser = make();
    parser.push(new TextEncoder().encode('GET / HTTP/1.1\r\n'));
    expect(() => parser.next()).toThrow(RfbError);
    parser.push(stream);
    expect(() => parser.next()).toThrow(expect.objectContaining({ code: 'version_unsupported' }));
  });
});

const greeted = concat([writeVersion(8), Uint8Array.of(1, 1)]);
const welcomed = concat([
  writeVersion(8),
  Uint8Array.of(1, 1),
  writeSecurityResult(),
  writeServerInit(64, 48, NATIVE_PIXEL_FORMAT, ''),
]);
const after = (head: Uint8Array, ...bytes: number[]): Uint8Array => concat([head, Uint8Array.from(bytes)]);
const format = (...bytes: number[]): Uint8Array => after(greeted, 0, 0, 0, 0, ...bytes, 0, 0, 0);

const hextile = (width: number, height: number, ...tile: number[]): Uint8Array =>
  concat([
    after(welcomed, 0, 0, 0, 1),
    rectHead(0, 0, width, height, Encoding.hextile),
    Uint8Array.from(tile),
  ]);

describe('What breaks the protocol is refused with a code', () => {
  it.each([
    ['a greeting of another protocol', new TextEncoder().encode('SSH-2.0-OpenS'), 'version_unsupported'],
    ['an unknown type', after(greeted, 77), 'unknown_message'],
    ['the QEMU audio message', after(greeted, 255, 1), 'unknown_message'],
    [
      'bytes after another security type',
      concat([writeVersion(8), Uint8Array.of(2, 0)]),
      'security_unsupported',
    ],
    ['24 bits per pixel', format(24, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0), 'bad_message'],
    ['a shift beyond the pixel', format(16, 16, 0, 1, 0, 31, 0, 63, 0, 31, 12, 5, 0), 'bad_message'],
    ['a shift just beyond the pixel', format(16, 16, 0, 1, 0, 1, 0, 63, 0, 31, 16, 5, 0), 'bad_message'],
    [
      'a colour range of no whole bits',
      format(32, 24, 0, 1, 0, 254, 0, 255, 0, 255, 16, 8, 0),
      'bad_message',
    ],
    ['too many encodings', after(greeted, 2, 0, 4, 1), 'limit_exceeded'],
    ['too long a text', after(greeted, 6, 0, 0, 0, 0, 0x10, 0, 1), 'limit_exceeded'],
    ['too long an extended text', after(greeted, 6, 0, 0, 0, 0x80, 0, 0, 0), 'limit_exceeded'],
    ['too long a fence', after(greeted, 248, 0, 0, 0, 0, 0, 0, 0, 65), 'limit_exceeded'],
    ['too large a desktop', after(greeted, 251, 0, 0x40, 1, 0, 1, 1, 0), 'limit_exceeded'],
    ['too many screens', after(greeted, 251, 0, 0, 9, 0, 9, 17, 0), 'limit_exceeded'],
  ])('from a client: %s', (_, stream, code) => {
    expect(() => parse(new ClientMessageParser(), [stream])).toThrow(expect.objectContaining({ code }));
  });

  it.each([
    ['an old version', writeVersion(7), 'version_unsupported'],
    [
      'no security types, and why',
      concat([writeVersion(8), after(Uint8Array.of(0, 0, 0, 0, 2), 0x6e, 0x6f)]),
      'security_failed',
    ],
    [
      'a refusal',
      concat([writeVersion(8), Uint8Array.of(1, 1), writeSecurityResult('no')]),
      'security_failed',
    ],
    ['too long a reason', after(writeVersion(8), 1, 1, 0, 0, 0, 1, 0, 1, 0, 0), 'limit_exceeded'],
    ['an unknown type', after(welcomed, 9), 'unknown_message'],
    ['an unknown encoding', concat([after(welcomed, 0, 0, 0, 1), rectHead(0, 0, 1, 1, 7)]), 'bad_message'],
    [
      'too many pixels',
      concat([after(welcomed, 0, 0, 0, 1), rectHead(0, 0, 65535, 65535, 0)]),
      'limit_exceeded',
    ],
    [
      'too large a cursor',
      concat([after(welcomed, 0, 0, 0, 1), rectHead(0, 0, 513, 1, -239)]),
      'limit_exceeded',
    ],
    ['a Hextile tile of a kind that is not known', hextile(1, 1, 32), 'bad_message'],
    ['a Hextile tile of a known kind and another', hextile(1, 1, 33, 1, 2, 3, 4), 'bad_message'],
    // Further tiles have room for what is too large: nothing else refuses it.
    ['a part of a Hextile tile that is too tall by one', hextile(16, 32, 8, 1, 0x01, 0x0f), 'bad_message'],
    ['a part of a Hextile tile that is too wide by one', hextile(32, 16, 8, 1, 0x10, 0xf0), 'bad_message'],
    ['too long a text', after(welcomed, 3, 0, 0, 0, 0xff, 0xff, 0xff, 0xff), 'limit_exceeded'],
  ])('from a server: %s', (_, stream, code) => {
    expect(() => parse(new ServerMessageParser(), [stream])).toThrow(expect.objectContaining({ code }));
  });

  it('names the limit and what was sent', () => {
    const stream = after(greeted, 2, 0, 4, 1);
    expect(() => parse(new ClientMessageParser(), [stream])).toThrow(
      'the number of encodings is 1025; at most 1024 is allowed',
    );
  });

  it('refuses limits that are none', () => {
    expect(() => new ClientMessageParser({ encodings: 0 })).toThrow('RFB limit encodings is 0');
  });
});

describe('Older clients', () => {
  it.each([
    ['RFB 003.003\n', 3],
    ['RFB 003.005\n', 3],
    ['RFB 003.889\n', 3],
    ['RFB 003.007\n', 7],
  ])('%j counts as 3.%i', (greeting, version) => {
    const parser = new ClientMessageParser();
    parser.push(new TextEncoder().encode(greeting));
    expect(parser.next()).toEqual({ type: 'version', version });
    parser.push(version === 3 ? Uint8Array.of(1) : Uint8Array.of(1, 1));
    if (version !== 3) expect(parser.next()).toEqual({ type: 'security', chosen: 1 });
    expect(parser.next()).toEqual({ type: 'clientInit', shared: true });
  });
});
