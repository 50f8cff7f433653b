import { intersect, type Framebuffer, type Rect } from '@streamspace/rfb';

/** A colour as 0xRRGGBB. */
export type Colour = number;

/** Pixels to draw on. Whatever lies outside is left out. */
export class Surface implements Framebuffer {
  readonly pixels: Uint32Array;

  constructor(
    readonly width: number,
    readonly height: number,
    fill: Colour = 0,
  ) {
    this.pixels = new Uint32Array(width * height).fill(fill);
  }

  get area(): Rect {
    return { x: 0, y: 0, width: this.width, height: this.height };
  }

  fill(rect: Rect, colour: Colour): void {
    const { x, y, width, height } = intersect(rect, this.area);
    for (let row = y; row < y + height; row++) {
      this.pixels.fill(colour, row * this.width + x, row * this.width + x + width);
    }
  }

  /** Mixes `colour` into one pixel; `alpha` is from 0 to 1. */
  blend(x: number, y: number, colour: Colour, alpha: number): void {
    if (alpha <= 0 || x < 0 || y < 0 || x >= this.width || y >= this.height) return;
    const index = y * this.width + x;
    this.pixels[index] = mix(this.pixels[index] ?? 0, colour, Math.min(1, alpha));
  }

  /** Copies `from` (an area of `source`) so that its top left comes to (`x`, `y`). Source and target may overlap. */
  copy(source: Surface, from: Rect, x: number, y: number): void {
    const readable = intersect(from, source.area);
    const target = intersect(
      { ...readable, x: x + readable.x - from.x, y: y + readable.y - from.y },
      this.area,
    );
    const shiftX = from.x - x;
    const shiftY = from.y - y;
    const downwards = source === this && shiftY < 0;
    for (let step = 0; step < target.height; step++) {
      const row = downwards ? target.y + target.height - 1 - step : target.y + step;
      const start = (row + shiftY) * source.width + target.x + shiftX;
      if (source === this) {
        this.pixels.copyWithin(row * this.width + target.x, start, start + target.width);
      } else {
        this.pixels.set(source.pixels.subarray(start, start + target.width), row * this.width + target.x);
      }
    }
  }
}

/** `under` with so much of `over`, from 0 to 1. Written out for each channel: this runs for every pixel that is drawn. */
export function mix(under: Colour, over: Colour, amount: number): Colour {
  const part = Math.round(amount * 256);
  const red = (under >>> 16) & 255;
  const green = (under >>> 8) & 255;
  const blue = under & 255;
  return (
    ((red + (((((over >>> 16) & 255) - red) * part) >> 8)) << 16) |
    ((green + (((((over >>> 8) & 255) - green) * part) >> 8)) << 8) |
    (blue + ((((over & 255) - blue) * part) >> 8))
  );
}
