import { Encoding, type PixelFormat, type Rect } from '@streamspace/rfb';
import type { Deflater } from '@streamspace/rfb';
import { compactBytes, pixelBytes } from './formats.js';
import type { Picture } from './picture.js';
import type { Random } from '../random.js';
import { u16, u32 } from './wire.js';

/**
 * Rectangles of an update, written plainly from RFC 6143, section 7.7, in every form that a server may choose, the
 * wasteful ones too. Nothing here comes from the encoders of the package.
 */

export const rectHeader = ({ x, y, width, height }: Rect, encoding: number): number[] => [
  ...[x, y, width, height].flatMap(u16),
  ...u32(encoding),
];

function* tiles(rect: Rect, side: number): Generator<Rect> {
  for (let y = 0; y < rect.height; y += side)
    for (let x = 0; x < rect.width; x += side)
      yield {
        x: rect.x + x,
        y: rect.y + y,
        width: Math.min(side, rect.width - x),
        height: Math.min(side, rect.height - y),
      };
}

function coloursOf(picture: Picture, tile: Rect): number[] {
  const colours: number[] = [];
  for (let y = tile.y; y < tile.y + tile.height; y++)
    for (let x = tile.x; x < tile.x + tile.width; x++) colours.push(picture.at(x, y));
  return colours;
}

export function rawRect(picture: Picture, rect: Rect, format: PixelFormat): number[] {
  return [
    ...rectHeader(rect, Encoding.raw),
    ...coloursOf(picture, rect).flatMap((colour) => pixelBytes(format, colour)),
  ];
}

export function hextileRect(random: Random, picture: Picture, rect: Rect, format: PixelFormat): number[] {
  const bytes = rectHeader(rect, Encoding.hextile);
  const put = (colour: number): number[] => pixelBytes(format, colour);
  let background: number | undefined;
  for (const tile of tiles(rect, 16)) {
    const colours = coloursOf(picture, tile);
    const base = random.pick(colours);
    const others = [...colours.entries()].filter(([, colour]) => colour !== base);
    if (others.length > 255 || random.chance(0.2)) {
      bytes.push(1, ...colours.flatMap(put));
      background = undefined;
      continue;
    }
    const one = new Set(others.map(([, colour]) => colour)).size === 1 && random.chance(0.7);
    const says = background !== base || random.chance(0.2);
    bytes.push(
      (says ? 2 : 0) | (one ? 4 : 0) | (others.length > 0 ? 8 : 0) | (others.length > 0 && !one ? 16 : 0),
    );
    if (says) bytes.push(...put(base));
    if (one) bytes.push(...put(others[0]![1]));
    background = base;
    if (others.length === 0) continue;
    bytes.push(others.length);
    for (const [index, colour] of others) {
      const [x, y] = [index % tile.width, Math.floor(index / tile.width)];
      bytes.push(...(one ? [] : put(colour)), (x << 4) | y, 0);
    }
  }
  return bytes;
}

/** Runs of equal colours, at times two where one would do. */
function runsOf(random: Random, colours: readonly number[]): { colour: number; length: number }[] {
  const runs: { colour: number; length: number }[] = [];
  for (const colour of colours) {
    const last = runs.at(-1);
    if (last?.colour === colour && !random.chance(0.001)) last.length += 1;
    else runs.push({ colour, length: 1 });
  }
  return runs;
}

const runLength = (length: number): number[] => [
  ...Array.from({ length: Math.floor((length - 1) / 255) }, () => 255),
  (length - 1) % 255,
];

function zrleTile(random: Random, colours: readonly number[], width: number, format: PixelFormat): number[] {
  const put = (colour: number): number[] => compactBytes(format, colour);
  const palette = [...new Set(colours)];
  // A palette may hold colours that the tile does not.
  if (palette.length < 120 && random.chance(0.2))
    palette.push(...Array.from({ length: random.upTo(5) }, () => 0));
  const forms = ['raw', 'runs'];
  if (new Set(colours).size === 1) forms.push('solid');
  if (palette.length > 1 && palette.length <= 16) forms.push('packed', 'packed');
  if (palette.length > 1 && palette.length <= 127) forms.push('paletteRuns', 'paletteRuns');
  const indexOf = new Map(palette.map((colour, index) => [colour, index]));
  switch (random.pick(forms)) {
    case 'solid':
      return [1, ...put(colours[0]!)];
    case 'packed': {
      const bits = palette.length === 2 ? 1 : palette.length <= 4 ? 2 : 4;
      const bytes = [palette.length, ...palette.flatMap(put)];
      for (let row = 0; row < colours.length; row += width) {
        const line = colours
          .slice(row, row + width)
          .map((colour) => indexOf.get(colour)!.toString(2).padStart(bits, '0'));
        for (const byte of line.join('').match(/.{1,8}/g)!) bytes.push(parseInt(byte.padEnd(8, '0'), 2));
      }
      return bytes;
    }
    case 'runs':
      return [
        128,
        ...runsOf(random, colours).flatMap(({ colour, length }) => [...put(colour), ...runLength(length)]),
      ];
    case 'paletteRuns': {
      const runs = runsOf(random, colours).flatMap(({ colour, length }) =>
        length === 1 && random.chance(0.9)
          ? [indexOf.get(colour)!]
          : [128 | indexOf.get(colour)!, ...runLength(length)],
      );
      return [128 + palette.length, ...palette.flatMap(put), ...runs];
    }
    default:
      return [0, ...colours.flatMap(put)];
  }
}

/** The tiles of a rectangle before they are compressed. */
export function zrleTiles(random: Random, picture: Picture, rect: Rect, format: PixelFormat): number[] {
  const bytes: number[] = [];
  for (const tile of tiles(rect, 64))
    bytes.push(...zrleTile(random, coloursOf(picture, tile), tile.width, format));
  return bytes;
}

/** A rectangle of these tiles, through a stream that goes on from one to the next. */
export async function zrleRect(rect: Rect, plain: readonly number[], deflater: Deflater): Promise<number[]> {
  const packed = await deflater.deflate(Uint8Array.from(plain));
  return [...rectHeader(rect, Encoding.zrle), ...u32(packed.length), ...packed];
}
