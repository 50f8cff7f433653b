import { Gradient } from './gradient.js';
import { Surface, type Colour } from './surface.js';

const SKY: readonly (readonly [number, Colour])[] = [
  [0, 0x2a4480],
  [0.28, 0x4672b4],
  [0.52, 0x8fbadb],
  [0.66, 0xdbe3e2],
  [0.76, 0xf8d9be],
  [1, 0xf8d9be],
];
/** From far to near: height above the bottom, how it rolls, colour at its crest and at the bottom. */
const HILLS = [
  { crest: 0.3, wave: 0.05, period: 1.7, phase: 0.4, top: 0x7fa6bd, foot: 0xa9c4c8 },
  { crest: 0.2, wave: 0.06, period: 1.2, phase: 2.3, top: 0x4f7f9f, foot: 0x7fa9b4 },
  { crest: 0.11, wave: 0.045, period: 0.9, phase: 4.2, top: 0x2e5877, foot: 0x47788f },
] as const;

/** The last one that was painted: most sessions have the same size, and a million pixels take a while. */
let latest: Surface | undefined;

/** Sky and hills in any size. Not to be drawn on: it may be handed out again. */
export function wallpaper(width: number, height: number): Surface {
  if (latest?.width !== width || latest.height !== height) {
    latest = new Surface(width, height);
    paintWallpaper(latest);
  }
  return latest;
}

function paintWallpaper(surface: Surface): void {
  const { width, height, pixels } = surface;
  const sky = new Gradient(SKY);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      // The sun's side is a little ahead of the other.
      pixels[y * width + x] = sky.at(y / height + (0.1 * x) / width, x, y);
    }
  }
  for (const hill of HILLS) {
    const slope = new Gradient([
      [0, hill.top],
      [1, hill.foot],
    ]);
    for (let x = 0; x < width; x++) {
      const along = (x / height) * hill.period * Math.PI + hill.phase;
      const roll = Math.sin(along) + 0.45 * Math.sin(along * 2.1 + 1);
      const crest = height * (1 - hill.crest - (hill.wave * roll) / 1.45);
      for (let y = Math.floor(crest); y < height; y++) {
        surface.blend(x, y, slope.at((y - crest) / (height - crest), x, y), y + 1 - crest);
      }
    }
  }
}
