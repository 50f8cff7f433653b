import { RfbError } from './errors.js';
import { fields } from './incremental.js';

/** PIXEL_FORMAT of RFC 6143, section 7.4. */
export interface PixelFormat {
  readonly bitsPerPixel: 8 | 16 | 32;
  /** Useful bits of a pixel. */
  readonly depth: number;
  readonly bigEndian: boolean;
  readonly trueColour: boolean;
  readonly redMax: number;
  readonly greenMax: number;
  readonly blueMax: number;
  readonly redShift: number;
  readonly greenShift: number;
  readonly blueShift: number;
}

export const PIXEL_FORMAT_BYTES = 16;

/** 32 bits, blue in the first byte: what a {@link Framebuffer} holds and what servers here propose. */
export const NATIVE_PIXEL_FORMAT: PixelFormat = {
  bitsPerPixel: 32,
  depth: 24,
  bigEndian: false,
  trueColour: true,
  redMax: 255,
  greenMax: 255,
  blueMax: 255,
  redShift: 16,
  greenShift: 8,
  blueShift: 0,
};

/** Reads the 16 bytes of a pixel format. Throws `bad_message` where they describe no pixel. */
export function readPixelFormat(bytes: Uint8Array): PixelFormat {
  const view = fields(bytes);
  const bitsPerPixel = view.getUint8(0);
  if (bitsPerPixel !== 8 && bitsPerPixel !== 16 && bitsPerPixel !== 32) {
    throw new RfbError('bad_message', `bits-per-pixel is ${bitsPerPixel}; allowed are 8, 16 and 32`);
  }
  const format: PixelFormat = {
    bitsPerPixel,
    depth: view.getUint8(1),
    bigEndian: view.getUint8(2) !== 0,
    trueColour: view.getUint8(3) !== 0,
    redMax: view.getUint16(4),
    greenMax: view.getUint16(6),
    blueMax: view.getUint16(8),
    redShift: view.getUint8(10),
    greenShift: view.getUint8(11),
    blueShift: view.getUint8(12),
  };
  if (format.trueColour) {
    checkChannel(format, 'red', format.redMax, format.redShift);
    checkChannel(format, 'green', format.greenMax, format.greenShift);
    checkChannel(format, 'blue', format.blueMax, format.blueShift);
  }
  return format;
}

function checkChannel(format: PixelFormat, colour: string, max: number, shift: number): void {
  if ((max & (max + 1)) !== 0) {
    throw new RfbError('bad_message', `${colour}-max is ${max}; it must be a power of two less one`);
  }
  if (max * 2 ** shift >= 2 ** format.bitsPerPixel) {
    throw new RfbError(
      'bad_message',
      `${colour}-max ${max} shifted by ${shift} does not fit ${format.bitsPerPixel} bits`,
    );
  }
}

/** Writes the 16 bytes of a pixel format into `target` at `offset`. */
export function writePixelFormat(target: Uint8Array, offset: number, format: PixelFormat): void {
  const view = fields(target);
  view.setUint8(offset, format.bitsPerPixel);
  view.setUint8(offset + 1, format.depth);
  view.setUint8(offset + 2, format.bigEndian ? 1 : 0);
  view.setUint8(offset + 3, format.trueColour ? 1 : 0);
  view.setUint16(offset + 4, format.redMax);
  view.setUint16(offset + 6, format.greenMax);
  view.setUint16(offset + 8, format.blueMax);
  view.setUint8(offset + 10, format.redShift);
  view.setUint8(offset + 11, format.greenShift);
  view.setUint8(offset + 12, format.blueShift);
  target.fill(0, offset + 13, offset + 16);
}

/** Turns pixels of the form 0xRRGGBB into one true-colour format. */
export class PixelEncoder {
  readonly format: PixelFormat;
  readonly bytesPerPixel: number;
  readonly #identity: boolean;
  readonly #red: Uint32Array;
  readonly #green: Uint32Array;
  readonly #blue: Uint32Array;

  /** Throws `pixel_format_unsupported` for a colour map. */
  constructor(format: PixelFormat) {
    if (!format.trueColour) {
      throw new RfbError(
        'pixel_format_unsupported',
        'the viewer asked for a colour map; allowed are true-colour formats of 8, 16 and 32 bits',
      );
    }
    this.format = format;
    this.bytesPerPixel = format.bitsPerPixel / 8;
    this.#red = scale(format.redMax, format.redShift);
    this.#green = scale(format.greenMax, format.greenShift);
    this.#blue = scale(format.blueMax, format.blueShift);
    this.#identity =
      [format.redMax, format.greenMax, format.blueMax].every((max) => max === 255) &&
      format.redShift === 16 &&
      format.greenShift === 8 &&
      format.blueShift === 0;
  }

  /** Writes `count` pixels from `pixels[from]` into `target` at `offset`; missing pixels are black. */
  write(target: DataView, offset: number, pixels: Uint32Array, from: number, count: number): void {
    const little = !this.format.bigEndian;
    const bytes = this.bytesPerPixel;
    for (let index = 0; index < count; index++, offset += bytes) {
      const value = this.pixelOf(pixels[from + index] ?? 0);
      if (bytes === 4) target.setUint32(offset, value, little);
      else if (bytes === 2) target.setUint16(offset, value, little);
      else target.setUint8(offset, value);
    }
  }

  /** The pixel of a colour, as a number. */
  pixelOf(pixel: number): number {
    if (this.#identity) return pixel & 0xffffff;
    const red = this.#red[(pixel >>> 16) & 255] ?? 0;
    const green = this.#green[(pixel >>> 8) & 255] ?? 0;
    const blue = this.#blue[pixel & 255] ?? 0;
    return (red | green | blue) >>> 0;
  }
}

function scale(max: number, shift: number): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, level) => Math.round((level * max) / 255) * 2 ** shift);
}

/** The inverse of {@link PixelEncoder}: `count` pixels as 0xRRGGBB. For true-colour formats only. */
export function decodePixels(format: PixelFormat, bytes: Uint8Array, count: number): Uint32Array {
  const view = fields(bytes);
  const little = !format.bigEndian;
  const size = format.bitsPerPixel / 8;
  const { redMax, greenMax, blueMax, redShift, greenShift, blueShift } = format;
  const pixels = new Uint32Array(count);
  for (let index = 0, at = 0; index < count; index++, at += size) {
    const value =
      size === 4 ? view.getUint32(at, little) : size === 2 ? view.getUint16(at, little) : view.getUint8(at);
    pixels[index] =
      (level(value >>> redShift, redMax) << 16) |
      (level(value >>> greenShift, greenMax) << 8) |
      level(value >>> blueShift, blueMax);
  }
  return pixels;
}

/** What the low bits stand for on the scale from 0 to 255. */
function level(value: number, max: number): number {
  if (max === 255) return value & 255;
  return max === 0 ? 0 : Math.round(((value & max) * 255) / max);
}
