import type { Random } from './random.js';

/** Whole numbers as 8 bytes, big-endian; their ends serve as smaller ones. */
const NUMBERS = [
  0n,
  1n,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  2n ** 32n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 64n - 1n,
];

/** A changed copy of `bytes`, at times the same; `other` lends a part. */
export function mutateBytes(random: Random, bytes: Uint8Array, other: Uint8Array): Uint8Array {
  let result = bytes;
  for (let round = random.upTo(2); round >= 0; round--) result = mutateOnce(random, result, other);
  return result;
}

function mutateOnce(random: Random, bytes: Uint8Array, other: Uint8Array): Uint8Array {
  const at = random.upTo(Math.max(0, bytes.length - 1));
  const length = random.upTo(Math.min(16, bytes.length - at));
  const copy = bytes.slice();
  switch (random.upTo(7)) {
    case 0:
      if (copy.length > 0) copy[at]! ^= 1 << random.upTo(7);
      return copy;
    case 1:
      if (copy.length > 0) copy[at] = random.pick([0, 1, 127, 128, 254, 255]);
      return copy;
    case 2: {
      const number = new Uint8Array(8);
      new DataView(number.buffer).setBigUint64(0, random.pick(NUMBERS));
      const part = number.subarray(8 - random.pick([2, 4, 8]));
      copy.set(part.subarray(0, copy.length - at), at);
      return copy;
    }
    case 3:
      return copy.subarray(0, at);
    case 4:
      return splice(bytes, at, 0, random.bytes(random.upTo(16)));
    case 5:
      return splice(bytes, at, length, new Uint8Array());
    case 6:
      return splice(bytes, at, 0, bytes.subarray(at, at + length));
    default:
      return splice(bytes, at, bytes.length, other.subarray(random.upTo(other.length)));
  }
}

function splice(bytes: Uint8Array, at: number, removed: number, added: Uint8Array): Uint8Array {
  return new Uint8Array(Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + removed)]));
}

/** Sends a JSON text astray: most often a value of it, so that it stays JSON, at times a character. */
export function mutateText(random: Random, text: string): string {
  if (random.chance(0.75)) {
    const document: unknown = JSON.parse(text);
    for (let round = random.upTo(2); round >= 0; round--) mutateValue(random, document);
    return JSON.stringify(document);
  }
  const at = random.upTo(text.length);
  const tokens = [
    '{',
    '}',
    '[',
    ']',
    '"',
    ',',
    ':',
    '\\',
    '\\u0000',
    '\\ud800',
    'null',
    '-0',
    '1e999',
    '\ufeff',
    '\0',
  ];
  return (
    text.slice(0, at) + (random.chance(0.5) ? random.pick(tokens) : '') + text.slice(at + random.upTo(4))
  );
}

/** Changes one member somewhere in `value`. */
function mutateValue(random: Random, value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  const holder = value as Record<string, unknown>;
  const names = Object.keys(holder);
  const name = names.length > 0 ? random.pick(names) : 'extra';
  const member = holder[name];
  if (typeof member === 'object' && member !== null && random.chance(0.7)) return mutateValue(random, member);
  if (random.chance(0.15)) delete holder[name];
  else holder[random.chance(0.1) ? random.text() : name] = oddValue(random);
}

/** A JSON value that some field does not expect. */
export function oddValue(random: Random): unknown {
  switch (random.upTo(9)) {
    case 0:
      return null;
    case 1:
      return random.chance(0.5);
    case 2:
      return random.offset();
    case 3:
      return random.pick([-1, 0.5, -0, 1e300, 2 ** 53, 2 ** 64]);
    case 4:
      return random.text();
    case 5:
      return 'x'.repeat(random.pick([254, 255, 256, 4_096, 4_097]));
    case 6:
      return [];
    case 7:
      return {};
    case 8:
      return Array.from({ length: random.upTo(4) }, () => random.text());
    default:
      return nested(random.pick([2, 63, 64, 65, 2_000]));
  }
}

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) value = level % 2 === 0 ? { a: value } : [value];
  return value;
}
