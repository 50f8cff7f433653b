import type { PixelEncoder, PixelFormat } from './pixel-format.js';

/**
 * CPIXEL of RFC 6143, section 7.7.5: where all colours of a 32-bit pixel are in its three low or its three high bytes,
 * the fourth, which says nothing, is left out.
 *
 * Where they are in both, the RFC does not say which byte that is. The viewers of TigerVNC and LibVNC, and LibVNC's
 * server, leave out the last one in the order of sending, and so does this. TigerVNC's server, as of 1.12, leaves out
 * the first, which its own viewer reads wrongly: ask it for no such format.
 */
export interface CompactLayout {
  readonly bytes: number;
  /** Bits by which a pixel is shifted to the right before its low bytes are written. */
  readonly shift: number;
  /** Of a whole pixel's bytes, the first that is kept. */
  readonly from: number;
}

export function compactLayout(format: PixelFormat): CompactLayout {
  const whole = { bytes: format.bitsPerPixel / 8, shift: 0, from: 0 };
  if (!format.trueColour || format.bitsPerPixel !== 32 || format.depth > 24) return whole;
  const used =
    ((format.redMax << format.redShift) |
      (format.greenMax << format.greenShift) |
      (format.blueMax << format.blueShift)) >>>
    0;
  const low = used <= 0xffffff;
  const high = (used & 0xff) === 0;
  if (!low && !high) return whole;
  const keepsFirst = format.bigEndian ? high : low;
  return { bytes: 3, shift: keepsFirst === format.bigEndian ? 8 : 0, from: keepsFirst ? 0 : 1 };
}

/** Writes colours of the form 0xRRGGBB as CPIXELs of one format. */
export class CompactPixelEncoder {
  readonly bytes: number;
  readonly #pixels: PixelEncoder;
  readonly #shift: number;
  readonly #little: boolean;

  constructor(pixels: PixelEncoder) {
    const { bytes, shift } = compactLayout(pixels.format);
    this.#pixels = pixels;
    this.bytes = bytes;
    this.#shift = shift;
    this.#little = !pixels.format.bigEndian;
  }

  /** Returns where the next goes. */
  write(target: DataView, at: number, colour: number): number {
    const value = this.#pixels.pixelOf(colour) >>> this.#shift;
    switch (this.bytes) {
      case 1:
        target.setUint8(at, value);
        break;
      case 3:
        target.setUint16(this.#little ? at : at + 1, value & 0xffff, this.#little);
        target.setUint8(this.#little ? at + 2 : at, value >>> 16);
        break;
      case 2:
        target.setUint16(at, value, this.#little);
        break;
      default:
        target.setUint32(at, value, this.#little);
    }
    return at + this.bytes;
  }
}
