import { Encoding } from '@streamspace/rfb';
import type { Random } from '../random.js';
import { u16, u32 } from './wire.js';

/** What viewers in use send, written here byte by byte: nothing of it comes from the package that reads it. */
export const VIEWER_MESSAGES = [
  'setPixelFormat',
  'setEncodings',
  'updateRequest',
  'key',
  'pointer',
  'cutText',
  'extendedCutText',
  'continuousUpdates',
  'fence',
  'xvp',
  'desktopSize',
  'gii',
  'qemuKey',
] as const;
export type ViewerMessage = (typeof VIEWER_MESSAGES)[number];

/** Bounds of what is written; around them it may be one less or one more, rarely. */
export interface ViewerLimits {
  readonly cutTextBytes: number;
  readonly encodings: number;
  readonly screens: number;
  readonly fenceBytes: number;
}

const OTHER_ENCODINGS = [7, -258, -260, -305, -261, -32];

/** PIXEL_FORMAT of true-colour formats: bits, depth, maxima of red, green, blue, their shifts. */
const FORMATS = [
  [32, 24, 255, 255, 255, 16, 8, 0],
  [32, 24, 255, 255, 255, 0, 8, 16],
  [32, 24, 255, 255, 255, 24, 16, 8],
  [16, 16, 31, 63, 31, 11, 5, 0],
  [8, 8, 7, 7, 3, 0, 3, 6],
] as const;

export function pixelFormatBytes(random: Random): number[] {
  const [bits, depth, red, green, blue, ...shifts] = random.pick(FORMATS);
  return [bits, depth, random.upTo(1), 1, ...u16(red), ...u16(green), ...u16(blue), ...shifts, 0, 0, 0];
}

/** A length up to `limit`, at times one on each side of it. */
function lengthUpTo(random: Random, limit: number): number {
  if (random.chance(0.04)) return limit + random.upTo(2) - 1;
  return random.upTo(Math.min(limit, random.pick([0, 3, 40])));
}

const someBytes = (random: Random, length: number): Uint8Array => random.bytes(length);
const rect = (random: Random): number[] =>
  [0, 0, 0, 0].flatMap(() => u16(random.upTo(random.pick([9, 0xffff]))));

/** One whole message. */
export function viewerMessage(random: Random, kind: ViewerMessage, limits: ViewerLimits): Uint8Array {
  switch (kind) {
    case 'setPixelFormat':
      return Uint8Array.of(0, ...someBytes(random, 3), ...pixelFormatBytes(random));
    case 'setEncodings': {
      const count = lengthUpTo(random, limits.encodings);
      const all = [...Object.values(Encoding), ...OTHER_ENCODINGS];
      const list = Array.from({ length: count }, () => u32(random.pick(all)));
      return Uint8Array.of(2, random.upTo(255), ...u16(count), ...list.flat());
    }
    case 'updateRequest':
      return Uint8Array.of(3, random.upTo(1), ...rect(random));
    case 'key':
      return Uint8Array.of(4, random.upTo(1), ...someBytes(random, 2), ...u32(random.upTo(0xffff)));
    case 'pointer':
      return Uint8Array.of(5, ...someBytes(random, 5));
    case 'cutText':
    case 'extendedCutText': {
      const length = Math.max(kind === 'cutText' ? 0 : 1, lengthUpTo(random, limits.cutTextBytes));
      const signed = kind === 'cutText' ? length : -length;
      return Uint8Array.of(6, ...someBytes(random, 3), ...u32(signed), ...someBytes(random, length));
    }
    case 'continuousUpdates':
      return Uint8Array.of(150, random.upTo(1), ...rect(random));
    case 'fence': {
      const length = lengthUpTo(random, limits.fenceBytes);
      return Uint8Array.of(248, 0, 0, 0, ...someBytes(random, 4), length, ...someBytes(random, length));
    }
    case 'xvp':
      return Uint8Array.of(250, 0, 1, random.upTo(4));
    case 'desktopSize': {
      const count = lengthUpTo(random, limits.screens);
      const size = [...u16(1 + random.upTo(500)), ...u16(1 + random.upTo(500))];
      return Uint8Array.of(251, random.upTo(255), ...size, count, 0, ...someBytes(random, 16 * count));
    }
    case 'gii': {
      const length = random.upTo(random.pick([4, 300]));
      const bigEndian = random.chance(0.5);
      const size = bigEndian ? u16(length) : u16(length).reverse();
      return Uint8Array.of(
        253,
        (bigEndian ? 128 : 0) | random.upTo(127),
        ...size,
        ...someBytes(random, length),
      );
    }
    case 'qemuKey':
      return Uint8Array.of(
        255,
        0,
        ...u16(random.upTo(1)),
        ...u32(random.upTo(0xffff)),
        ...someBytes(random, 4),
      );
  }
}

/** Messages that no viewer may send: of types and kinds that nobody knows the length of. */
export function unknownMessage(random: Random): Uint8Array {
  const rest = someBytes(random, random.upTo(20));
  return random.chance(0.3)
    ? Uint8Array.of(255, 1 + random.upTo(254), ...rest)
    : Uint8Array.of(random.pick([1, 7, 8, 13, 149, 151, 249, 252, 254]), ...rest);
}
