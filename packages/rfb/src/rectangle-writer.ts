import { ChunkWriter } from './chunk-writer.js';
import type { RfbChannel } from './channel.js';
import type { Copy } from './damage.js';
import type { CursorImage, Desktop } from './desktop.js';
import { Encoding } from './encodings.js';
import { HEXTILE_SIDE, HextileEncoder, TILE_BYTES, TILE_PIXELS } from './hextile.js';
import { fields } from './incremental.js';
import type { PixelEncoder } from './pixel-format.js';
import type { Rect } from './rect.js';
import { tilesOf } from './tiles.js';
import { RECT_HEADER_BYTES, UPDATE_HEADER_BYTES, writeRectHeader, writeUpdateHeader } from './write.js';
import type { Deflater } from './zlib.js';
import { zrleParts, ZrleWriter } from './zrle-writer.js';

/** How pixels can be sent. */
export type PixelEncoding = typeof Encoding.raw | typeof Encoding.hextile | typeof Encoding.zrle;

/** Rectangles that an update can say it has. */
const MOST_RECTANGLES = 0xffff;

/** The first of the viewer's encodings that is spoken here; Raw is always understood. */
export function preferredEncoding(encodings: readonly number[], zrle: boolean): PixelEncoding {
  for (const encoding of encodings) {
    if (encoding === Encoding.zrle && zrle) return encoding;
    if (encoding === Encoding.hextile || encoding === Encoding.raw) return encoding;
  }
  return Encoding.raw;
}

/** Some rectangles as those of one update, in an encoding. */
export interface PixelPlan {
  readonly encoding: PixelEncoding;
  readonly parts: readonly Rect[];
}

/**
 * ZRLE goes in parts, since each has its length before it. Where they are too many for one update, on a screen beyond
 * any size in use, Hextile takes its place.
 */
export function planPixels(rects: readonly Rect[], encoding: PixelEncoding, others: number): PixelPlan {
  if (encoding !== Encoding.zrle) return { encoding, parts: rects };
  const parts: Rect[] = [];
  for (const rect of rects) {
    for (const part of zrleParts(rect)) {
      if (parts.push(part) + others > MOST_RECTANGLES) return { encoding: Encoding.hextile, parts: rects };
    }
  }
  return { encoding, parts };
}

/**
 * Writes the rectangles of updates. Pixels are those of the moment at which each chunk is filled; what changes later is
 * owed again. The desktop may have shrunk since an update promised a rectangle: black stands for what is gone.
 */
export class RectangleWriter {
  readonly #desktop: Desktop;
  readonly #chunks: ChunkWriter;
  readonly #deflater: (() => Deflater) | undefined;
  readonly #tile = new Uint32Array(TILE_PIXELS);
  /** From its first use to the end: the stream's end is that of the connection. */
  #zrle: ZrleWriter | undefined;

  /** @param deflater makes the zlib stream of ZRLE; without it that is not spoken */
  constructor(channel: RfbChannel, desktop: Desktop, deflater?: () => Deflater) {
    this.#desktop = desktop;
    this.#deflater = deflater;
    this.#chunks = new ChunkWriter(channel);
  }

  async begin(rectangles: number): Promise<void> {
    if (this.#chunks.room < UPDATE_HEADER_BYTES) await this.#chunks.flush();
    this.#chunks.at = writeUpdateHeader(this.#chunks.view, this.#chunks.at, rectangles);
  }

  /** A rectangle that is ready. */
  whole(bytes: Uint8Array): Promise<void> {
    return this.#chunks.put(bytes);
  }

  async copy({ to, fromX, fromY }: Copy): Promise<void> {
    await this.#header(to, Encoding.copyRect, 4);
    this.#chunks.view.setUint16(this.#chunks.at, fromX);
    this.#chunks.view.setUint16(this.#chunks.at + 2, fromY);
    this.#chunks.at += 4;
  }

  async pixels({ parts, encoding }: PixelPlan, encoder: PixelEncoder): Promise<void> {
    for (const part of parts) {
      if (encoding === Encoding.zrle) await this.#compressed(part, encoder);
      else if (encoding === Encoding.hextile) await this.#hextile(part, encoder);
      else await this.#raw(part, encoder);
    }
  }

  end(): Promise<void> {
    return this.#chunks.flush();
  }

  /** Frees the zlib stream. */
  close(): void {
    this.#zrle?.close();
    this.#zrle = undefined;
  }

  async #header(rect: Rect, encoding: number, more = 0): Promise<void> {
    if (this.#chunks.room < RECT_HEADER_BYTES + more) await this.#chunks.flush();
    this.#chunks.at = writeRectHeader(this.#chunks.view, this.#chunks.at, rect, encoding);
  }

  async #raw(rect: Rect, encoder: PixelEncoder): Promise<void> {
    const chunks = this.#chunks;
    await this.#header(rect, Encoding.raw);
    for (let row = 0; row < rect.height; row++) {
      for (let column = 0; column < rect.width;) {
        if (chunks.room < encoder.bytesPerPixel) await chunks.flush();
        const count = Math.min(rect.width - column, Math.floor(chunks.room / encoder.bytesPerPixel));
        this.#rawPixels(rect.x + column, rect.y + row, count, encoder);
        column += count;
      }
    }
  }

  #rawPixels(x: number, y: number, count: number, encoder: PixelEncoder): void {
    const { width, height, pixels } = this.#desktop.framebuffer;
    const { view, at } = this.#chunks;
    const there = y < height ? Math.max(0, Math.min(count, width - x)) : 0;
    encoder.write(view, at, pixels, y * width + x, there);
    for (let byte = there * encoder.bytesPerPixel; byte < count * encoder.bytesPerPixel; byte++) {
      view.setUint8(at + byte, 0);
    }
    this.#chunks.at += count * encoder.bytesPerPixel;
  }

  async #hextile(rect: Rect, encoder: PixelEncoder): Promise<void> {
    const chunks = this.#chunks;
    await this.#header(rect, Encoding.hextile);
    const tiles = new HextileEncoder(encoder);
    for (const tile of tilesOf(rect, HEXTILE_SIDE)) {
      if (chunks.room < TILE_BYTES) await chunks.flush();
      this.#sample(tile, this.#tile);
      chunks.at = tiles.encode(this.#tile, tile.width, tile.height, chunks.view, chunks.at);
    }
  }

  async #compressed(part: Rect, encoder: PixelEncoder): Promise<void> {
    if (!this.#deflater) throw new Error('ZRLE needs a zlib stream');
    this.#zrle ??= new ZrleWriter(this.#deflater());
    const sample = (tile: Rect, into: Uint32Array): void => this.#sample(tile, into);
    const bytes = await this.#zrle.encode(part, encoder, sample);
    await this.#header(part, Encoding.zrle, 4);
    this.#chunks.view.setUint32(this.#chunks.at, bytes.length);
    this.#chunks.at += 4;
    await this.#chunks.put(bytes);
  }

  #sample(tile: Rect, into: Uint32Array): void {
    const { width, height, pixels } = this.#desktop.framebuffer;
    for (let row = 0, at = 0; row < tile.height; row++) {
      const y = tile.y + row;
      const from = y * width + tile.x;
      for (let column = 0; column < tile.width; column++, at++) {
        const there = y < height && tile.x + column < width;
        into[at] = there ? (pixels[from + column] ?? 0) & 0xffffff : 0;
      }
    }
  }
}

/** A Cursor rectangle; of no size for a seat without a shape, which hides the pointer or leaves it to the viewer. */
export function encodeCursor(cursor: CursorImage | undefined, encoder: PixelEncoder): Uint8Array {
  const { width, height, hotX, hotY } = cursor ?? { width: 0, height: 0, hotX: 0, hotY: 0 };
  const pixels = width * height;
  const maskStride = Math.ceil(width / 8);
  const imageBytes = pixels * encoder.bytesPerPixel;
  const bytes = new Uint8Array(RECT_HEADER_BYTES + imageBytes + maskStride * height);
  const view = fields(bytes);
  writeRectHeader(view, 0, { x: hotX, y: hotY, width, height }, Encoding.cursor);
  if (!cursor) return bytes;
  encoder.write(view, RECT_HEADER_BYTES, cursor.pixels, 0, pixels);
  for (let index = 0; index < pixels; index++) {
    if (!cursor.mask[index]) continue;
    const x = index % width;
    const at = RECT_HEADER_BYTES + imageBytes + Math.floor(index / width) * maskStride + (x >> 3);
    bytes[at] = (bytes[at] ?? 0) | (0x80 >> (x & 7));
  }
  return bytes;
}
