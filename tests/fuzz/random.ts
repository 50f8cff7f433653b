/** Numbers that mean something at some border of the wire. */
const EDGES = [
  0,
  1,
  2,
  17,
  18,
  255,
  256,
  65_509,
  65_510,
  65_511,
  65_536,
  262_144,
  262_145,
  4_194_304,
  4_194_305,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53 - 1,
];

/** Random numbers that a seed decides (mulberry32). Not for secrets. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** The numbers of one case: the same whichever cases ran before it. */
  static of(seed: number, target: string, index: number): Random {
    let hash = seed >>> 0;
    for (const char of `${target} ${index}`) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193) >>> 0;
    return new Random(hash);
  }

  /** Numbers of their own: who draws from them changes nothing here. */
  fork(): Random {
    return new Random(this.upTo(2 ** 32 - 1));
  }

  /** At least 0, below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from 0 to `max`, `max` included. */
  upTo(max: number): number {
    return Math.floor(this.next() * (max + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.upTo(choices.length - 1)]!;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.upTo(255));
  }

  /** A whole number from 0 to 2^53 - 1, often at a border. */
  offset(): number {
    if (this.chance(0.4)) return this.pick(EDGES);
    if (this.chance(0.5)) return this.upTo(100_000);
    return this.upTo(2 ** 21 - 1) * 2 ** 32 + this.upTo(2 ** 32 - 1);
  }

  /** A 64-bit number. */
  id(): bigint {
    return (BigInt(this.upTo(2 ** 32 - 1)) << 32n) | BigInt(this.upTo(2 ** 32 - 1));
  }

  /** A short text, sometimes of characters that programs stumble over. */
  text(maxLength = 12): string {
    return Array.from({ length: this.upTo(maxLength) }, () =>
      this.chance(0.8)
        ? String.fromCharCode(0x20 + this.upTo(0x5e))
        : this.pick(['\0', '\n', '"', '\\', 'é', '🖥', '\ufeff', '\u2028', '\ud800', '__proto__']),
    ).join('');
  }
}
