import { RfbError } from './errors.js';

/** Upper bounds of what a peer may send. Beyond one, the parser fails with `limit_exceeded`. */
export interface RfbLimits {
  /** Clipboard text in one message, in bytes. @default 1 MiB */
  readonly cutTextBytes: number;
  /** Encodings in one SetEncodings. @default 1024 */
  readonly encodings: number;
  /** Width or height of a desktop, in pixels. @default 16384 */
  readonly desktopSide: number;
  /** Pixels of a desktop that a client keeps a picture of, 4 bytes each. @default 16 Mi (4096 x 4096) */
  readonly desktopPixels: number;
  /** Pixels of one rectangle, which are held in memory at once. @default 4 Mi (2560 x 1600) */
  readonly rectanglePixels: number;
  /** Width or height of a cursor, in pixels. @default 512 */
  readonly cursorSide: number;
  /** Screens in one layout. @default 16 */
  readonly screens: number;
  /** Payload of a fence, in bytes; 64 by its definition. @default 64 */
  readonly fenceBytes: number;
  /** Desktop name or reason of a refusal, in bytes. @default 4096 */
  readonly textBytes: number;
}

export const RFB_LIMITS: RfbLimits = {
  cutTextBytes: 1024 * 1024,
  encodings: 1024,
  desktopSide: 16_384,
  desktopPixels: 4096 * 4096,
  rectanglePixels: 4 * 1024 * 1024,
  cursorSide: 512,
  screens: 16,
  fenceBytes: 64,
  textBytes: 4096,
};

/** Fills in the defaults; throws a RangeError for a limit that is no positive whole number. */
export function resolveLimits(limits: Partial<RfbLimits> = {}): RfbLimits {
  const resolved = { ...RFB_LIMITS, ...limits };
  for (const [name, value] of Object.entries(resolved)) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new RangeError(`RFB limit ${name} is ${value}; allowed are whole numbers of 1 and above`);
    }
  }
  return resolved;
}

/** Throws `limit_exceeded` where `value` is above `limit`. */
export function within(what: string, value: number, limit: number): number {
  if (value > limit) throw new RfbError('limit_exceeded', `${what} is ${value}; at most ${limit} is allowed`);
  return value;
}
