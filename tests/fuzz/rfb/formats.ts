import type { PixelFormat } from '@streamspace/rfb';

const format = (
  bitsPerPixel: PixelFormat['bitsPerPixel'],
  bigEndian: boolean,
  [redMax, greenMax, blueMax]: readonly [number, number, number],
  [redShift, greenShift, blueShift]: readonly [number, number, number],
): PixelFormat => ({
  bitsPerPixel,
  depth: bitsPerPixel === 32 ? 24 : bitsPerPixel,
  bigEndian,
  trueColour: true,
  redMax,
  greenMax,
  blueMax,
  redShift,
  greenShift,
  blueShift,
});

const FULL = [255, 255, 255] as const;
const THREES = [
  [16, 8, 0],
  [0, 8, 16],
  [24, 16, 8],
  [8, 16, 24],
] as const;

/** True-colour formats: those that can say every colour, then those that cannot. */
export const PIXEL_FORMATS: readonly PixelFormat[] = [
  ...[false, true].flatMap((big) => THREES.map((shifts) => format(32, big, FULL, shifts))),
  format(16, false, [31, 63, 31], [11, 5, 0]),
  format(16, true, [31, 63, 31], [11, 5, 0]),
  format(8, false, [7, 7, 3], [0, 3, 6]),
];

/** One pixel as it is sent, written from RFC 6143, section 7.4. */
export function pixelBytes(format: PixelFormat, colour: number): number[] {
  const part = (value: number, max: number, shift: number): number =>
    Math.round((value * max) / 255) * 2 ** shift;
  const value =
    part((colour >> 16) & 255, format.redMax, format.redShift) +
    part((colour >> 8) & 255, format.greenMax, format.greenShift) +
    part(colour & 255, format.blueMax, format.blueShift);
  const bytes = Array.from(
    { length: format.bitsPerPixel / 8 },
    (_, index) => Math.floor(value / 256 ** index) % 256,
  );
  return format.bigEndian ? bytes.reverse() : bytes;
}

/** The same inside ZRLE: 32-bit pixels without the byte that holds no colour. */
export function compactBytes(format: PixelFormat, colour: number): number[] {
  const bytes = pixelBytes(format, colour);
  if (format.bitsPerPixel !== 32) return bytes;
  const low = Math.min(format.redShift, format.greenShift, format.blueShift) === 0;
  return low === format.bigEndian ? bytes.slice(1) : bytes.slice(0, 3);
}
