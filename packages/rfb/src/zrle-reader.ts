import { compactLayout } from './compact-pixel.js';
import { RfbError } from './errors.js';
import { decodePixels, type PixelFormat } from './pixel-format.js';
import type { Rect } from './rect.js';
import { tilesOf } from './tiles.js';
import {
  packedBits,
  ZRLE_PACKED_COLOURS,
  ZRLE_PLAIN_RLE,
  ZRLE_RAW,
  ZRLE_RUN_STEP,
  ZRLE_SIDE,
  ZRLE_SOLID,
} from './zrle.js';

/** The most that a rectangle of so many pixels can be, inflated: a run for each pixel, a palette for each tile. */
export function mostZrleBytes(rect: Rect): number {
  const tiles = Math.ceil(rect.width / ZRLE_SIDE) * Math.ceil(rect.height / ZRLE_SIDE);
  return rect.width * rect.height * 5 + tiles * 512;
}

/**
 * The pixels of a rectangle, row by row as 0xRRGGBB, from its inflated bytes. Throws `bad_message` where they are not
 * exactly that rectangle.
 */
export function decodeZrle(rect: Rect, format: PixelFormat, inflated: Uint8Array): Uint32Array {
  const pixels = new Uint32Array(rect.width * rect.height);
  const reader = new TileReader(format, inflated);
  for (const tile of tilesOf({ ...rect, x: 0, y: 0 }, ZRLE_SIDE)) {
    const colours = reader.tile(tile.width, tile.height);
    for (let row = 0; row < tile.height; row++) {
      const from = row * tile.width;
      pixels.set(colours.subarray(from, from + tile.width), (tile.y + row) * rect.width + tile.x);
    }
  }
  reader.finish();
  return pixels;
}

class TileReader {
  readonly #format: PixelFormat;
  readonly #bytes: Uint8Array;
  readonly #layout;
  #at = 0;

  constructor(format: PixelFormat, bytes: Uint8Array) {
    this.#format = format;
    this.#bytes = bytes;
    this.#layout = compactLayout(format);
  }

  tile(width: number, height: number): Uint32Array {
    const count = width * height;
    const kind = this.#byte();
    if (kind === ZRLE_RAW) return this.#colours(count);
    if (kind === ZRLE_SOLID) return new Uint32Array(count).fill(this.#colours(1)[0] ?? 0);
    if (kind <= ZRLE_PACKED_COLOURS) return this.#packed(width, height, this.#colours(kind));
    if (kind === ZRLE_PLAIN_RLE) return this.#plainRuns(count);
    if (kind >= ZRLE_PLAIN_RLE + 2) return this.#paletteRuns(count, this.#colours(kind - ZRLE_PLAIN_RLE));
    throw new RfbError('bad_message', `a ZRLE tile of kind ${kind}; allowed are 0 to 16, 128 and 130 to 255`);
  }

  finish(): void {
    const rest = this.#bytes.length - this.#at;
    if (rest > 0)
      throw new RfbError('bad_message', `a ZRLE rectangle has ${rest} bytes beyond its last tile`);
  }

  #packed(width: number, height: number, palette: Uint32Array): Uint32Array {
    const bits = packedBits(palette.length);
    const tile = new Uint32Array(width * height);
    for (let row = 0; row < height; row++) {
      let byte = 0;
      for (let column = 0; column < width; column++) {
        const shift = 8 - bits - ((column * bits) & 7);
        if (shift === 8 - bits) byte = this.#byte();
        tile[row * width + column] = colourAt(palette, (byte >> shift) & ((1 << bits) - 1));
      }
    }
    return tile;
  }

  #plainRuns(count: number): Uint32Array {
    const tile = new Uint32Array(count);
    for (let at = 0; at < count;) {
      const colour = this.#colours(1)[0] ?? 0;
      at = fillRun(tile, at, this.#length(), colour);
    }
    return tile;
  }

  #paletteRuns(count: number, palette: Uint32Array): Uint32Array {
    const tile = new Uint32Array(count);
    for (let at = 0; at < count;) {
      const index = this.#byte();
      const length = index & ZRLE_PLAIN_RLE ? this.#length() : 1;
      at = fillRun(tile, at, length, colourAt(palette, index & ~ZRLE_PLAIN_RLE));
    }
    return tile;
  }

  #length(): number {
    for (let length = 1; ;) {
      const byte = this.#byte();
      length += byte;
      if (byte !== ZRLE_RUN_STEP) return length;
    }
  }

  #byte(): number {
    return this.#take(1)[0] ?? 0;
  }

  #colours(count: number): Uint32Array {
    const { bytes, from } = this.#layout;
    const compact = this.#take(count * bytes);
    const size = this.#format.bitsPerPixel / 8;
    if (bytes === size) return decodePixels(this.#format, compact, count);
    const whole = new Uint8Array(count * size);
    for (let index = 0; index < count; index++) {
      whole.set(compact.subarray(index * bytes, (index + 1) * bytes), index * size + from);
    }
    return decodePixels(this.#format, whole, count);
  }

  #take(count: number): Uint8Array {
    const end = this.#at + count;
    if (end > this.#bytes.length) {
      throw new RfbError('bad_message', `a ZRLE rectangle ends at byte ${this.#bytes.length}, inside a tile`);
    }
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}

function colourAt(palette: Uint32Array, index: number): number {
  const colour = palette[index];
  if (colour !== undefined) return colour;
  throw new RfbError('bad_message', `colour ${index} of a ZRLE palette that has ${palette.length}`);
}

function fillRun(tile: Uint32Array, at: number, length: number, colour: number): number {
  if (at + length > tile.length) {
    throw new RfbError(
      'bad_message',
      `a run of ${length} pixels in a ZRLE tile that lacks ${tile.length - at}`,
    );
  }
  tile.fill(colour, at, at + length);
  return at + length;
}
