import { intersect, type Rect } from '@streamspace/rfb';
import { glyphOf } from './glyphs.js';
import { segmentDistance } from './shapes.js';
import type { Colour, Surface } from './surface.js';

/** Room between the outer stems of neighbouring letters, in units. */
const SPACING = 3;
/** Rows above the top of capitals and below the baseline that a line of text can touch, in units. */
const ABOVE = 5;
const BELOW = 5;
const BASELINE = 10;

interface Stamp {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Coverage of each pixel, 0 to 255. */
  readonly mask: Uint8Array;
}

/** One size and weight of the letters. Stamps are made when first used; there are as many as characters drawn. */
export class Typeface {
  readonly #stamps = new Map<string, Stamp>();
  readonly #advances = new Map<string, number>();

  /**
   * @param scale pixels to a unit; capitals are 10 units high
   * @param weight thickness of the pen in pixels
   */
  constructor(
    readonly scale: number,
    readonly weight: number,
  ) {}

  /** Pixels from the top of a capital to the baseline. */
  get capHeight(): number {
    return Math.round(BASELINE * this.scale);
  }

  /** Pixels from this character's origin to the next one's. */
  advance(character: string): number {
    let advance = this.#advances.get(character);
    if (advance === undefined) {
      advance = Math.round((glyphOf(character).width + SPACING) * this.scale);
      this.#advances.set(character, advance);
    }
    return advance;
  }

  /** Width of a line of text in pixels. */
  measure(text: string): number {
    let width = 0;
    for (const character of text) width += this.advance(character);
    return width;
  }

  /** As much of a text as fits, with an ellipsis where something is left out. */
  fit(text: string, width: number): string {
    if (this.measure(text) <= width) return text;
    const characters = Array.from(text);
    while (characters.length > 0 && this.measure(`${characters.join('')}…`) > width) characters.pop();
    return `${characters.join('')}…`;
  }

  /**
   * Draws one line. (`x`, `y`) is the top left of its first capital's cell; nothing is drawn outside `clip`.
   *
   * @returns where the next character would go
   */
  draw(
    surface: Surface,
    text: string,
    x: number,
    y: number,
    colour: Colour,
    clip: Rect = surface.area,
  ): number {
    for (const character of text) {
      const stamp = this.#stamp(character);
      const target = { x: x + stamp.x, y: y + stamp.y, width: stamp.width, height: stamp.height };
      const visible = intersect(target, clip);
      for (let row = visible.y; row < visible.y + visible.height; row++) {
        for (let column = visible.x; column < visible.x + visible.width; column++) {
          const level = stamp.mask[(row - target.y) * stamp.width + column - target.x] ?? 0;
          if (level > 0) surface.blend(column, row, colour, level / 255);
        }
      }
      x += this.advance(character);
    }
    return x;
  }

  #stamp(character: string): Stamp {
    let stamp = this.#stamps.get(character);
    if (!stamp) {
      stamp = this.#rasterise(character);
      this.#stamps.set(character, stamp);
    }
    return stamp;
  }

  #rasterise(character: string): Stamp {
    const { scale } = this;
    const glyph = glyphOf(character);
    const left = -Math.ceil(3 * scale);
    const width = Math.ceil((glyph.width + 7) * scale) - left;
    const top = -Math.ceil(ABOVE * scale);
    const height = Math.ceil((BASELINE + BELOW) * scale) - top;
    const mask = new Uint8Array(width * height);
    const half = this.weight / 2 + 0.5;
    // The first stem stands half the spacing to the right of the origin.
    const shift = Math.floor((SPACING * scale) / 2);
    for (const points of glyph.strokes) {
      for (let index = 0; index + 1 < points.length; index += 2) {
        const fromX = (points[index] ?? 0) * scale + shift;
        const fromY = (points[index + 1] ?? 0) * scale;
        const toX = (points[index + 2] ?? points[index] ?? 0) * scale + shift;
        const toY = (points[index + 3] ?? points[index + 1] ?? 0) * scale;
        const firstRow = Math.max(0, Math.floor(Math.min(fromY, toY) - half) - top);
        const lastRow = Math.min(height - 1, Math.ceil(Math.max(fromY, toY) + half) - top);
        const first = Math.max(0, Math.floor(Math.min(fromX, toX) - half) - left);
        const last = Math.min(width - 1, Math.ceil(Math.max(fromX, toX) + half) - left);
        for (let row = firstRow; row <= lastRow; row++) {
          for (let column = first; column <= last; column++) {
            const distance = segmentDistance(column + left, row + top, fromX, fromY, toX, toY);
            const level = Math.round(255 * Math.max(0, Math.min(1, half - distance)));
            const at = row * width + column;
            if (level > (mask[at] ?? 0)) mask[at] = level;
          }
        }
      }
    }
    return { x: left, y: top, width, height, mask };
  }
}
