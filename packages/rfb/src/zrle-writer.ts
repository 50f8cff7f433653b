import { fields } from './incremental.js';
import type { PixelEncoder } from './pixel-format.js';
import type { Rect } from './rect.js';
import { partsOf, tilesOf } from './tiles.js';
import type { Deflater } from './zlib.js';
import { ZRLE_SIDE, ZRLE_TILE_BYTES, ZRLE_TILE_PIXELS, ZrleTileEncoder } from './zrle.js';

/** Tiles that are compressed at once: what one viewer costs, and what stands before each is its length in bytes. */
const TILES_AT_ONCE = 4;

/** The parts of a rectangle that {@link ZrleWriter} takes, in their order. */
export function zrleParts(rect: Rect): Generator<Rect> {
  return partsOf(rect, TILES_AT_ONCE * ZRLE_SIDE, ZRLE_SIDE);
}

/** Encodes rectangles through the zlib stream of one connection. */
export class ZrleWriter {
  readonly #deflater: Deflater;
  readonly #tile = new Uint32Array(ZRLE_TILE_PIXELS);
  readonly #plain = new Uint8Array(TILES_AT_ONCE * ZRLE_TILE_BYTES);
  readonly #view = fields(this.#plain);

  constructor(deflater: Deflater) {
    this.#deflater = deflater;
  }

  /**
   * What follows the length in a rectangle.
   *
   * @param part one of {@link zrleParts}
   * @param sample puts the pixels of a part of the screen, as 0xRRGGBB row by row, into `tile`
   */
  encode(
    part: Rect,
    pixels: PixelEncoder,
    sample: (tile: Rect, into: Uint32Array) => void,
  ): Promise<Uint8Array> {
    const encoder = new ZrleTileEncoder(pixels);
    let end = 0;
    for (const tile of tilesOf(part, ZRLE_SIDE)) {
      sample(tile, this.#tile);
      end = encoder.encode(this.#tile, tile.width, tile.height, this.#view, end);
    }
    return this.#deflater.deflate(this.#plain.subarray(0, end));
  }

  close(): void {
    this.#deflater.close();
  }
}
