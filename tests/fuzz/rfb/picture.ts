import type { Rect } from '@streamspace/rfb';
import type { Random } from '../random.js';

/** How colours are drawn from: few make palettes, many make photographs. */
const PALETTES = [1, 2, 3, 4, 5, 16, 17, 127, 128, 1_000];
/** Survive formats of fewer bits. */
const CORNERS = [0x000000, 0xff0000, 0x00ff00, 0x0000ff, 0xffff00, 0xff00ff, 0x00ffff, 0xffffff];

/** Pixels that the fuzzer knows, each 0xRRGGBB. */
export class Picture {
  readonly pixels: Uint32Array;

  /** @param lossy whether only colours are used that formats of fewer bits can say */
  constructor(
    readonly width: number,
    readonly height: number,
    readonly lossy: boolean,
  ) {
    this.pixels = new Uint32Array(width * height);
  }

  /** A rectangle inside the picture, never empty. */
  somewhere(random: Random): Rect {
    const x = random.upTo(this.width - 1);
    const y = random.upTo(this.height - 1);
    return {
      x,
      y,
      width: 1 + random.upTo(this.width - x - 1),
      height: 1 + random.upTo(this.height - y - 1),
    };
  }

  /** Draws runs of colours over `rect`: none, short or long ones. */
  paint(random: Random, rect: Rect): void {
    const colours = Array.from({ length: random.pick(PALETTES) }, () =>
      this.lossy ? random.pick(CORNERS) : random.upTo(0xffffff),
    );
    const steadiness = random.pick([0, 0.5, 0.95, 0.999]);
    let colour = random.pick(colours);
    for (let y = rect.y; y < rect.y + rect.height; y++) {
      for (let x = rect.x; x < rect.x + rect.width; x++) {
        if (!random.chance(steadiness)) colour = random.pick(colours);
        this.pixels[y * this.width + x] = colour;
      }
    }
  }

  /** What `rect` shows becomes what was at (`fromX`, `fromY`). */
  move(rect: Rect, fromX: number, fromY: number): void {
    const before = this.pixels.slice();
    for (let y = 0; y < rect.height; y++)
      for (let x = 0; x < rect.width; x++)
        this.pixels[(rect.y + y) * this.width + rect.x + x] = before[(fromY + y) * this.width + fromX + x]!;
  }

  at(x: number, y: number): number {
    return this.pixels[y * this.width + x]!;
  }

  /** What differs in `other`, in words; `undefined` where nothing does. */
  difference(other: {
    readonly width: number;
    readonly height: number;
    readonly pixels: Uint32Array;
  }): string | undefined {
    const { width, height } = this;
    if (other.width !== width || other.height !== height)
      return `it is ${other.width}x${other.height}, not ${width}x${height}`;
    if (Buffer.compare(bytesOf(this.pixels), bytesOf(other.pixels)) === 0) return undefined;
    const wrong = this.pixels.reduce(
      (count, pixel, index) => count + (other.pixels[index] === pixel ? 0 : 1),
      0,
    );
    const first = this.pixels.findIndex((pixel, index) => other.pixels[index] !== pixel);
    const [x, y] = [first % width, Math.floor(first / width)];
    const is = (other.pixels[first] ?? 0).toString(16);
    return `${wrong} of ${width}x${height} pixels differ, first ${x},${y}: ${is}, not ${this.pixels[first]!.toString(16)}`;
  }
}

const bytesOf = (pixels: Uint32Array): Uint8Array =>
  new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength);
