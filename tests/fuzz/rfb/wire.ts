import type { Random } from '../random.js';

/** Numbers as RFB writes them; negative ones in two's complement. */
export const u16 = (value: number): number[] => [(value >>> 8) & 255, value & 255];
export const u32 = (value: number): number[] => [...u16(value >>> 16), ...u16(value)];

export const ascii = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'));

export const joined = (parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

/** How a stream is cut: whole, byte by byte, or anyhow. */
export const CUTS = ['whole', 'bytes', 'random'] as const;
export type Cut = (typeof CUTS)[number];

/** Parts of `bytes` in their order, each a copy of its own. */
export function cutUp(random: Random, bytes: Uint8Array, cut: Cut): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const size =
      cut === 'whole' ? bytes.length : cut === 'bytes' ? 1 : 1 + random.upTo(random.pick([1, 8, 64, 4_000]));
    parts.push(bytes.slice(at, at + size));
    at += size;
  }
  return parts;
}
