import { describe, expect, it } from 'vitest';
import { NATIVE_PIXEL_FORMAT, type PixelFormat } from '@streamspace/rfb';
import { PixelEncoder } from '../src/pixel-format.js';
import { ZrleTileEncoder } from '../src/zrle.js';
import { decodeZrle } from '../src/zrle-reader.js';

// The bytes here were written out by hand, from RFC 6143: what reads and what writes may not agree on a mistake.

const encode = (format: PixelFormat, tile: readonly number[], width: number): number[] => {
  const target = new DataView(new ArrayBuffer(1000));
  const encoder = new ZrleTileEncoder(new PixelEncoder(format));
  const end = encoder.encode(Uint32Array.from(tile), width, tile.length / width, target, 0);
  return [...new Uint8Array(target.buffer, 0, end)];
};
const decode = (format: PixelFormat, bytes: readonly number[], width: number, height: number): number[] => [
  ...decodeZrle({ x: 0, y: 0, width, height }, format, Uint8Array.from(bytes)),
];

const A = 0x010203;
const B = 0x040506;
const C = 0x070809;
const D = 0x0a0b0c;
const E = 0x0d0e0f;
const [a, b, c, d, e] = [
  [3, 2, 1],
  [6, 5, 4],
  [9, 8, 7],
  [12, 11, 10],
  [15, 14, 13],
] as const;

describe('A tile with a packed palette', () => {
  it.each<[string, number, number[], number[]]>([
    ['two colours: a bit each', 9, [A, B, A, B, A, B, A, B, B], [2, ...a, ...b, 0b0101_0101, 0b1000_0000]],
    [
      'three colours: two bits each',
      5,
      [A, B, C, A, B, C, B, A, C, A],
      [3, ...a, ...b, ...c, 0b0001_1000, 0b0100_0000, 0b1001_0010, 0b0000_0000],
    ],
    [
      'four colours: two bits each',
      5,
      [A, B, C, D, A, D, D, A, B, C],
      [4, ...a, ...b, ...c, ...d, 0b0001_1011, 0b0000_0000, 0b1111_0001, 0b1000_0000],
    ],
    [
      'five colours: four bits each',
      5,
      [A, B, C, D, E, E, D, C, B, A, A, B, C, D, E],
      [5, ...a, ...b, ...c, ...d, ...e, 0x01, 0x23, 0x40, 0x43, 0x21, 0x00, 0x01, 0x23, 0x40],
    ],
  ])('%s', (_, width, tile, bytes) => {
    expect(encode(NATIVE_PIXEL_FORMAT, tile, width)).toEqual(bytes);
    expect(decode(NATIVE_PIXEL_FORMAT, bytes, width, tile.length / width)).toEqual(tile);
  });
});

describe('A compact pixel', () => {
  const high: PixelFormat = { ...NATIVE_PIXEL_FORMAT, redShift: 24, greenShift: 16, blueShift: 8 };
  const spread: PixelFormat = { ...NATIVE_PIXEL_FORMAT, redShift: 24, greenShift: 16, blueShift: 0 };
  // 0x00ffff00: both the three low bytes and the three high ones hold every colour.
  const middle: PixelFormat = {
    ...NATIVE_PIXEL_FORMAT,
    ...{ depth: 16, redMax: 31, greenMax: 63, blueMax: 31, redShift: 19, greenShift: 13, blueShift: 8 },
  };
  const big = (format: PixelFormat): PixelFormat => ({ ...format, bigEndian: true });
  const deep: PixelFormat = { ...NATIVE_PIXEL_FORMAT, depth: 32 };
  it.each<[string, PixelFormat, number, number[]]>([
    ['three low bytes, little-endian', NATIVE_PIXEL_FORMAT, 0x112233, [0x33, 0x22, 0x11]],
    ['three low bytes, big-endian', big(NATIVE_PIXEL_FORMAT), 0x112233, [0x11, 0x22, 0x33]],
    ['three high bytes, little-endian', high, 0x112233, [0x33, 0x22, 0x11]],
    ['three high bytes, big-endian', big(high), 0x112233, [0x11, 0x22, 0x33]],
    ['two middle bytes, little-endian: without the high one', middle, 0x00ff00, [0x00, 0xe0, 0x07]],
    ['two middle bytes, big-endian: without the low one', big(middle), 0x00ff00, [0x00, 0x07, 0xe0]],
    ['two middle bytes, little-endian, red', middle, 0xff0000, [0x00, 0x00, 0xf8]],
    ['two middle bytes, big-endian, blue', big(middle), 0x0000ff, [0x00, 0x00, 0x1f]],
    ['depth 32: whole', deep, 0x112233, [0x33, 0x22, 0x11, 0x00]],
    ['depth 32, big-endian: whole', big(deep), 0x112233, [0x00, 0x11, 0x22, 0x33]],
    ['four bytes: whole', spread, 0x112233, [0x33, 0x00, 0x22, 0x11]],
  ])('of %s', (_, format, colour, bytes) => {
    expect(encode(format, [colour], 1)).toEqual([1, ...bytes]);
    expect(decode(format, [1, ...bytes], 1, 1)).toEqual([colour]);
  });
});

describe('A tile of four pixels', () => {
  it.each<[string, number[]]>([
    ['in one run', [128, ...a, 3]],
    ['in one run of a palette', [130, ...a, ...b, 0x80, 3]],
    ['in runs of one', [130, ...a, ...b, 0, 0, 0, 0]],
  ])('is read: %s', (_, bytes) => {
    expect(decode(NATIVE_PIXEL_FORMAT, bytes, 4, 1)).toEqual([A, A, A, A]);
  });

  it.each<[string, number[]]>([
    ['a run of five', [128, ...a, 4]],
    ['a run of a palette of five', [130, ...a, ...b, 0x80, 4]],
    ['a second run of one beyond it', [128, ...a, 2, ...b, 1]],
    ['pixels that lack a byte', [0, ...a, ...b, ...c, 12, 11]],
    ['a colour that lacks a byte', [1, 3, 2]],
    ['a run that lacks its length', [128, ...a]],
    ['packed pixels that lack their byte', [2, ...a, ...b]],
    ['runs of a palette of one colour', [129, ...a, 0x80, 3]],
    ['a packed palette of 17 colours', [17, ...Array<number>(51).fill(1), 0, 0]],
    ['nothing', []],
  ])('is refused: %s', (_, bytes) => {
    expect(() => decode(NATIVE_PIXEL_FORMAT, bytes, 4, 1)).toThrow(
      expect.objectContaining({ code: 'bad_message' }),
    );
  });
});
