import { CompactPixelEncoder } from './compact-pixel.js';
import type { PixelEncoder } from './pixel-format.js';

// ZRLE of RFC 6143, section 7.7.6: tiles of 64 by 64 pixels, each in the shortest of four forms, through one zlib stream.

/** Of a tile, in pixels. */
export const ZRLE_SIDE = 64;
export const ZRLE_TILE_PIXELS = ZRLE_SIDE * ZRLE_SIDE;
/** The most that one tile takes before it is compressed, whatever is on it: its kind and its pixels. */
export const ZRLE_TILE_BYTES = 1 + ZRLE_TILE_PIXELS * 4;

/** Kinds of tiles; those from 2 to 16, and from 130, say with how many colours. */
export const ZRLE_RAW = 0;
export const ZRLE_SOLID = 1;
export const ZRLE_PLAIN_RLE = 128;
/** A palette's most colours, packed in bits and in runs. */
export const ZRLE_PACKED_COLOURS = 16;
export const ZRLE_RLE_COLOURS = 127;
/** What one byte of a run's length counts. */
export const ZRLE_RUN_STEP = 255;

/** Bits of one packed pixel. */
export function packedBits(colours: number): number {
  return colours === 2 ? 1 : colours <= 4 ? 2 : 4;
}

/** Slots of the table in which a tile's colours are looked up; a power of two, twice as many as there can be colours. */
const SLOTS = 256;
const EMPTY = -1;

/** Encodes tiles of one pixel format; nothing is kept from one to the next. */
export class ZrleTileEncoder {
  readonly #pixels: CompactPixelEncoder;
  readonly #palette = new Int32Array(ZRLE_RLE_COLOURS);
  #colours = 0;
  /** Of each slot, the number of a colour in the palette. */
  readonly #slots = new Int16Array(SLOTS);

  constructor(pixels: PixelEncoder) {
    this.#pixels = new CompactPixelEncoder(pixels);
  }

  /**
   * Writes one tile at `at`, where {@link ZRLE_TILE_BYTES} have room, and returns where the next goes.
   *
   * @param tile its pixels as 0xRRGGBB, row by row
   */
  encode(tile: Uint32Array, width: number, height: number, target: DataView, at: number): number {
    const count = width * height;
    const { runs, ones, lengthBytes } = this.#survey(tile, count);
    const colours = this.#colours;
    const size = this.#pixels.bytes;
    if (colours === 1) {
      target.setUint8(at, ZRLE_SOLID);
      return this.#pixels.write(target, at + 1, tile[0] ?? 0);
    }
    const raw = count * size;
    const plain = runs * size + lengthBytes;
    const palette = colours * size;
    const rle = colours === 0 ? Infinity : palette + runs + lengthBytes - ones;
    const packs = colours > 0 && colours <= ZRLE_PACKED_COLOURS;
    const packed = packs ? palette + height * Math.ceil((width * packedBits(colours)) / 8) : Infinity;
    const least = Math.min(raw, plain, rle, packed);
    if (least === packed) return this.#packed(tile, width, height, target, at);
    if (least === rle) return this.#runs(tile, count, true, target, at);
    if (least === plain) return this.#runs(tile, count, false, target, at);
    target.setUint8(at, ZRLE_RAW);
    let end = at + 1;
    for (let index = 0; index < count; index++) end = this.#pixels.write(target, end, tile[index] ?? 0);
    return end;
  }

  /** Fills the palette; 0 colours stand for more than it holds. */
  #survey(tile: Uint32Array, count: number): { runs: number; ones: number; lengthBytes: number } {
    this.#slots.fill(EMPTY);
    this.#colours = 0;
    let overflow = false;
    let runs = 0;
    let ones = 0;
    let lengthBytes = 0;
    for (let at = 0; at < count;) {
      const end = endOfRun(tile, at, count);
      runs += 1;
      if (end === at + 1) ones += 1;
      lengthBytes += lengthOf(end - at);
      overflow ||= this.#slotOf(tile[at] ?? 0) === EMPTY;
      at = end;
    }
    if (overflow) this.#colours = 0;
    return { runs, ones, lengthBytes };
  }

  /** The number of a colour in the palette, where it is added unless that is full. */
  #slotOf(colour: number): number {
    for (let slot = (Math.imul(colour, 0x9e3779b1) >>> 24) & (SLOTS - 1); ; slot = (slot + 1) & (SLOTS - 1)) {
      const index = this.#slots[slot] ?? EMPTY;
      if (index === EMPTY) {
        if (this.#colours === ZRLE_RLE_COLOURS) return EMPTY;
        this.#palette[this.#colours] = colour;
        return (this.#slots[slot] = this.#colours++);
      }
      if (this.#palette[index] === colour) return index;
    }
  }

  #writePalette(target: DataView, at: number): number {
    let end = at;
    for (let index = 0; index < this.#colours; index++) {
      end = this.#pixels.write(target, end, this.#palette[index] ?? 0);
    }
    return end;
  }

  #packed(tile: Uint32Array, width: number, height: number, target: DataView, at: number): number {
    const bits = packedBits(this.#colours);
    target.setUint8(at, this.#colours);
    let end = this.#writePalette(target, at + 1);
    for (let row = 0; row < height; row++) {
      let byte = 0;
      let room = 8;
      for (let index = row * width; index < (row + 1) * width; index++) {
        room -= bits;
        byte |= this.#slotOf(tile[index] ?? 0) << room;
        if (room > 0) continue;
        target.setUint8(end++, byte);
        byte = 0;
        room = 8;
      }
      if (room < 8) target.setUint8(end++, byte);
    }
    return end;
  }

  #runs(tile: Uint32Array, count: number, palette: boolean, target: DataView, at: number): number {
    target.setUint8(at, palette ? ZRLE_PLAIN_RLE + this.#colours : ZRLE_PLAIN_RLE);
    let end = palette ? this.#writePalette(target, at + 1) : at + 1;
    for (let from = 0; from < count;) {
      const to = endOfRun(tile, from, count);
      const colour = tile[from] ?? 0;
      if (!palette) end = this.#pixels.write(target, end, colour);
      else target.setUint8(end++, this.#slotOf(colour) | (to - from > 1 ? ZRLE_PLAIN_RLE : 0));
      if (!palette || to - from > 1) end = writeLength(target, end, to - from);
      from = to;
    }
    return end;
  }
}

function endOfRun(tile: Uint32Array, from: number, count: number): number {
  const colour = tile[from];
  let end = from + 1;
  while (end < count && tile[end] === colour) end++;
  return end;
}

/** Bytes that the length of a run takes. */
function lengthOf(run: number): number {
  return Math.floor((run - 1) / ZRLE_RUN_STEP) + 1;
}

function writeLength(target: DataView, at: number, run: number): number {
  let rest = run - 1;
  let end = at;
  for (; rest >= ZRLE_RUN_STEP; rest -= ZRLE_RUN_STEP) target.setUint8(end++, ZRLE_RUN_STEP);
  target.setUint8(end++, rest);
  return end;
}
