import type { Grammar } from './incremental.js';
import { RfbError } from './errors.js';
import type { PixelEncoder } from './pixel-format.js';
import type { Rect } from './rect.js';
import { tilesOf } from './tiles.js';

// Hextile of RFC 6143, section 7.7.4: tiles of 16 by 16 pixels, row by row, each with what it takes to draw it.

/** Of a tile, in pixels. */
export const HEXTILE_SIDE = 16;
/** Pixels of a whole tile. */
export const TILE_PIXELS = HEXTILE_SIDE * HEXTILE_SIDE;
/** The most that one tile takes, whatever is on it. */
export const TILE_BYTES = 1 + TILE_PIXELS * 4;

const RAW = 1;
const BACKGROUND = 2;
const FOREGROUND = 4;
const ANY_SUBRECTS = 8;
const SUBRECTS_COLOURED = 16;
const KNOWN_BITS = RAW | BACKGROUND | FOREGROUND | ANY_SUBRECTS | SUBRECTS_COLOURED;

/** Colours that are told apart when a background is chosen; a tile of more is a photograph, where it matters little. */
const COUNTED_COLOURS = 8;
/** No colour: 0xRRGGBB is never negative. */
const NONE = -1;

/** Encodes the tiles of one rectangle, in their order: background and foreground are said again only when they change. */
export class HextileEncoder {
  readonly #pixels: PixelEncoder;
  #background = NONE;
  #foreground = NONE;
  readonly #colours = new Uint32Array(COUNTED_COLOURS);
  readonly #counts = new Uint16Array(COUNTED_COLOURS);
  readonly #covered = new Uint8Array(TILE_PIXELS);
  readonly #one = new Uint32Array(1);

  constructor(pixels: PixelEncoder) {
    this.#pixels = pixels;
  }

  /**
   * Writes one tile at `at`, where {@link TILE_BYTES} have room, and returns where the next goes.
   *
   * @param tile its pixels as 0xRRGGBB, row by row
   */
  encode(tile: Uint32Array, width: number, height: number, target: DataView, at: number): number {
    const size = this.#pixels.bytesPerPixel;
    const rawEnd = at + 1 + width * height * size;
    const { colours, background } = this.#survey(tile, width * height);
    let end = at + 1;
    let flags = 0;
    if (background !== this.#background) {
      flags |= BACKGROUND;
      end = this.#put(target, end, background);
    }
    if (colours > 1) {
      const foreground = colours === 2 ? other(tile, width * height, background) : NONE;
      flags |= ANY_SUBRECTS;
      if (foreground === NONE) flags |= SUBRECTS_COLOURED;
      else if (foreground !== this.#foreground) {
        flags |= FOREGROUND;
        end = this.#put(target, end, foreground);
      }
      end = this.#subrects(tile, width, height, background, foreground === NONE, target, end, rawEnd);
      if (end < 0) return this.#raw(tile, width * height, target, at);
      // A tile of coloured parts does not leave a foreground behind.
      this.#foreground = foreground;
    }
    this.#background = background;
    target.setUint8(at, flags);
    return end;
  }

  /** How many colours there are (3 stands for more), and the most frequent one. */
  #survey(tile: Uint32Array, pixels: number): { colours: number; background: number } {
    const colours = this.#colours;
    const counts = this.#counts;
    let known = 0;
    let overflow = false;
    for (let at = 0; at < pixels;) {
      const colour = tile[at] ?? 0;
      let end = at + 1;
      while (end < pixels && tile[end] === colour) end++;
      let index = 0;
      while (index < known && colours[index] !== colour) index++;
      if (index === known) {
        if (known === COUNTED_COLOURS) overflow = true;
        else {
          colours[known] = colour;
          counts[known++] = 0;
        }
      }
      if (index < COUNTED_COLOURS) counts[index] = (counts[index] ?? 0) + end - at;
      at = end;
    }
    let best = 0;
    for (let index = 1; index < known; index++) if ((counts[index] ?? 0) > (counts[best] ?? 0)) best = index;
    return { colours: overflow ? 3 : Math.min(known, 3), background: colours[best] ?? 0 };
  }

  /** Everything that is not background, as rectangles; -1 where that is no shorter than the pixels themselves. */
  #subrects(
    tile: Uint32Array,
    width: number,
    height: number,
    background: number,
    coloured: boolean,
    target: DataView,
    at: number,
    rawEnd: number,
  ): number {
    const bytes = 2 + (coloured ? this.#pixels.bytesPerPixel : 0);
    const covered = this.#covered.fill(0);
    let end = at + 1;
    let count = 0;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const colour = tile[y * width + x] ?? 0;
        if (colour === background || covered[y * width + x]) continue;
        if (count === 255 || end + bytes >= rawEnd) return -1;
        let right = x + 1;
        while (right < width && tile[y * width + right] === colour && !covered[y * width + right]) right++;
        let bottom = y + 1;
        while (bottom < height && same(tile, covered, bottom * width, x, right, colour)) bottom++;
        for (let row = y; row < bottom; row++) covered.fill(1, row * width + x, row * width + right);
        if (coloured) end = this.#put(target, end, colour);
        target.setUint8(end++, (x << 4) | y);
        target.setUint8(end++, ((right - x - 1) << 4) | (bottom - y - 1));
        count += 1;
      }
    }
    target.setUint8(at, count);
    return end;
  }

  #raw(tile: Uint32Array, pixels: number, target: DataView, at: number): number {
    // Nor does a raw tile leave colours behind.
    this.#background = this.#foreground = NONE;
    target.setUint8(at, RAW);
    this.#pixels.write(target, at + 1, tile, 0, pixels);
    return at + 1 + pixels * this.#pixels.bytesPerPixel;
  }

  #put(target: DataView, at: number, colour: number): number {
    this.#one[0] = colour;
    this.#pixels.write(target, at, this.#one, 0, 1);
    return at + this.#pixels.bytesPerPixel;
  }
}

function other(tile: Uint32Array, pixels: number, background: number): number {
  for (let at = 0; at < pixels; at++) if (tile[at] !== background) return tile[at] ?? 0;
  return background;
}

function same(
  tile: Uint32Array,
  covered: Uint8Array,
  row: number,
  from: number,
  to: number,
  colour: number,
): boolean {
  for (let at = row + from; at < row + to; at++) if (tile[at] !== colour || covered[at]) return false;
  return true;
}

/** Reads a rectangle in Hextile; returns its pixels row by row, as Raw would have sent them. */
export function* readHextile(rect: Rect, bytesPerPixel: number): Grammar<Uint8Array> {
  const pixels = new Uint8Array(rect.width * rect.height * bytesPerPixel);
  let background = new Uint8Array(bytesPerPixel);
  let foreground = new Uint8Array(bytesPerPixel);
  const put = (part: Rect, next: (index: number) => Uint8Array): void => {
    for (let row = 0; row < part.height; row++) {
      const start = (part.y - rect.y + row) * rect.width + part.x - rect.x;
      for (let column = 0; column < part.width; column++) {
        pixels.set(next(row * part.width + column), (start + column) * bytesPerPixel);
      }
    }
  };
  for (const tile of tilesOf(rect, HEXTILE_SIDE)) {
    const flags = (yield 1)[0] ?? 0;
    if (flags > KNOWN_BITS) {
      throw new RfbError('bad_message', `a Hextile tile of kind ${flags}; allowed is at most ${KNOWN_BITS}`);
    }
    if (flags & RAW) {
      const raw = yield tile.width * tile.height * bytesPerPixel;
      put(tile, (index) => raw.subarray(index * bytesPerPixel, (index + 1) * bytesPerPixel));
      continue;
    }
    if (flags & BACKGROUND) background = (yield bytesPerPixel).slice();
    if (flags & FOREGROUND) foreground = (yield bytesPerPixel).slice();
    put(tile, () => background);
    if (!(flags & ANY_SUBRECTS)) continue;
    const coloured = (flags & SUBRECTS_COLOURED) !== 0;
    const step = 2 + (coloured ? bytesPerPixel : 0);
    const count = (yield 1)[0] ?? 0;
    const list = yield count * step;
    for (let at = 0; at < list.length; at += step) {
      const place = list[at + step - 2] ?? 0;
      const size = list[at + step - 1] ?? 0;
      const part = { x: place >> 4, y: place & 15, width: (size >> 4) + 1, height: (size & 15) + 1 };
      if (part.x + part.width > tile.width || part.y + part.height > tile.height) {
        throw new RfbError('bad_message', 'a part of a Hextile tile reaches beyond the tile');
      }
      const colour = coloured ? list.subarray(at, at + bytesPerPixel) : foreground;
      put({ ...part, x: tile.x + part.x, y: tile.y + part.y }, () => colour);
    }
  }
  return pixels;
}
