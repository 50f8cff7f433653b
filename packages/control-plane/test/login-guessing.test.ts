import { describe, expect, it } from 'vitest';
import { addressGroup } from '../src/auth/address-group.js';
import { FairLine } from '../src/auth/fair-line.js';
import { LoginThrottle, PER_ADDRESS, PER_USER, PER_USER_CALM } from '../src/auth/throttle.js';
import { LoginDesk } from './support/login-desk.js';

const POLL_MS = 250;
/** Of many addresses, to keep the number of polls small. */
const SLOW_POLL_MS = 2_000;
/** Turns at one address that unknown names share, and one for the user. */
const TURNS_AT_ADDRESS = 16 + 1;
const ANN = 'id of ann';
const OFFICE = '198.51.100.7';
/** Addresses of different /24 networks. */
const address = (n: number): string => `10.${n >> 8}.${n & 0xff}.1`;

interface Attack {
  /** Addresses that guess the password of ann. */
  readonly addresses: number;
  /** A stranger at the address of ann tries invented names. */
  readonly stranger: boolean;
  /** How long the attack runs before ann tries. */
  readonly leadMs: number;
}

/** Everybody but ann polls as fast as `POLL_MS`, before her in each step. */
class Siege {
  now = 0;
  /** Passwords of ann that were checked for the attackers. */
  guesses = 0;
  /** Names that were tried at the address of ann. */
  invented = 0;
  readonly #throttle = new LoginThrottle(() => this.now);
  readonly #attack: Attack;
  #names = 0;

  constructor(attack: Attack) {
    this.#attack = attack;
    while (this.now < attack.leadMs) this.step();
  }

  step(): void {
    this.now += this.#attack.addresses > 4 ? SLOW_POLL_MS : POLL_MS;
    for (let n = 0; n < this.#attack.addresses; n++)
      if (this.#isTried(address(n), ANN, true)) this.guesses += 1;
    if (this.#attack.stranger && this.#isTried(OFFICE, `name ${this.#names++}`, false)) this.invented += 1;
  }

  /** @returns how many tries ann needs, or one more than `most` */
  triesOfAnn(everyMs: number, most: number): number {
    for (let tries = 1; tries <= most; tries++) {
      if (!this.#throttle.wait({ group: OFFICE, user: ANN, exists: true })) return tries;
      for (const end = this.now + everyMs; this.now < end;) this.step();
    }
    return most + 1;
  }

  #isTried(from: string, user: string, exists: boolean): boolean {
    const attempt = { group: addressGroup(from), user, exists };
    if (this.#throttle.wait(attempt)) return false;
    this.#throttle.attempted(attempt);
    return true;
  }
}

const attacks = [2, 4].flatMap((addresses) =>
  [true, false].flatMap((stranger) =>
    [20_000, 15 * 60_000].map((leadMs) => ({ addresses, stranger, leadMs })),
  ),
);

describe('a user whose name is under attack', () => {
  it.each([
    ...attacks.flatMap((attack) => [5_000, 30_000].map((everyMs) => ({ ...attack, everyMs }))),
    { addresses: 300, stranger: true, leadMs: 60_000, everyMs: 30_000 },
    { addresses: 300, stranger: false, leadMs: 60_000, everyMs: 5_000 },
  ])(
    'gets in after one turn of each other: $addresses addresses, stranger at hers $stranger, after $leadMs ms, a try each $everyMs ms',
    ({ everyMs, ...attack }) => {
      const siege = new Siege(attack);
      const waitMs =
        (attack.stranger ? TURNS_AT_ADDRESS * PER_ADDRESS.leakMs : 0) +
        (attack.addresses + 1) * PER_USER_CALM.leakMs;
      // The turn at the address and the one for the user are each noticed at the next try.
      const most = 2 + Math.ceil(waitMs / everyMs);
      const before = siege.guesses;
      expect(siege.triesOfAnn(everyMs, most)).toBeLessThanOrEqual(most);
      // Each of the attackers has had its turn, and those that wait at the slower rate a few.
      expect(siege.guesses - before).toBeLessThanOrEqual(
        PER_USER_CALM.capacity +
          PER_USER.capacity +
          (waitMs + 2 * everyMs) / PER_USER_CALM.leakMs +
          (waitMs + 2 * everyMs) / PER_USER.leakMs,
      );
    },
    60_000,
  );

  it('is guessed at no faster than the two rates for a user, and one address tries no more than its rate', () => {
    const siege = new Siege({ addresses: 40, stranger: true, leadMs: 10 * 60_000 });
    const leadMs = siege.now;
    expect(siege.guesses).toBeLessThanOrEqual(
      PER_USER_CALM.capacity + PER_USER.capacity + leadMs / PER_USER_CALM.leakMs + leadMs / PER_USER.leakMs,
    );
    expect(siege.invented).toBeLessThanOrEqual(PER_ADDRESS.capacity + leadMs / PER_ADDRESS.leakMs);
    expect(siege.invented).toBeGreaterThan(PER_ADDRESS.capacity);
  }, 60_000);

  it('is known at an address after a refresh there, and waits for none of the turns of others', async () => {
    const desk = new LoginDesk(['ann']);
    await desk.refresh('ann', OFFICE);
    for (let n = 0; n < 400; n++) {
      await desk.logIn('ann', 'wrong', address(n));
      await desk.logIn(`name ${n}`, 'wrong', OFFICE);
    }
    expect(await desk.logIn('ann', 'right', '192.0.2.1')).toBe('too_many_attempts');
    expect(await desk.logIn('ann', 'right', OFFICE)).toBe('in');
  });
});

describe('a full line of keys that have one item each', () => {
  const crowdOf = (key: string): string => key.slice(0, 1);
  const fill = (keys: readonly string[], random = () => 0): FairLine<string> => {
    const line = new FairLine<string>({ total: keys.length, perKey: 2, crowdOf, random });
    for (const key of keys) expect(line.push(key, key)).toBeUndefined();
    return line;
  };

  it('gives the newest item of the largest crowd away, for a key of another', () => {
    expect(fill(['b1', 'a1', 'a2', 'a3']).push('c1', 'c1')).toBe('a3');
  });

  it('refuses a key of the largest crowd', () => {
    expect(fill(['b1', 'a1', 'a2', 'a3']).push('a4', 'a4')).toBe('a4');
  });

  it('gives a random item away where each crowd has one', () => {
    expect(fill(['a1', 'b1', 'c1', 'd1'], () => 0.5).push('e1', 'e1')).toBe('c1');
  });

  it('keeps a place for a caller while one /48 network of IPv6 fills the line of password checks', async () => {
    const desk = new LoginDesk(['ann'], { byHand: true });
    const strangers = Array.from({ length: 300 }, (_, n) =>
      desk.logIn(`stranger-${n}`, `wrong ${n}`, `2001:db8:0:${n.toString(16)}::1`),
    );
    const ann = desk.logIn('ann', 'right ann', OFFICE);
    await desk.endAll();
    expect(await ann).toBe('in');
    expect((await Promise.all(strangers)).filter((one) => one === 'busy')).toHaveLength(300 - 2 - 256 + 1);
  });
});
