import { describe, expect, it } from 'vitest';
import { ExpiringMap } from '../src/auth/expiring-map.js';
import { HOLD_MS } from '../src/auth/rate-lines.js';
import {
  CALM_BELOW,
  FAILURES,
  LoginThrottle,
  PER_ADDRESS,
  PER_USER,
  PER_USER_CALM,
  REMEMBERED,
  UNKNOWN_SHARES,
  WINDOW_MS,
} from '../src/auth/throttle.js';
import { foldUsername } from '../src/auth/usernames.js';
import { LoginDesk } from './support/login-desk.js';

const repeat = async (
  times: number,
  one: (n: number) => Promise<string>,
): Promise<Record<string, number>> => {
  const counts: Record<string, number> = {};
  for (let n = 0; n < times; n++) {
    const outcome = await one(n);
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
};
const wrong = 'wrong';
const right = 'right';
/** Addresses of different networks. */
const address = (n: number): string => `10.${n >> 16}.${(n >> 8) & 0xff}.${n & 0xff}`;

describe('wrong passwords', () => {
  it('for one user from one address are limited, and do not keep the user out elsewhere', async () => {
    const desk = new LoginDesk(['ann']);
    expect(await repeat(FAILURES + 5, () => desk.logIn('ann', wrong, 'A'))).toEqual({
      bad_credentials: FAILURES,
      too_many_attempts: 5,
    });
    expect(await desk.logIn('ann', right, 'A')).toBe('too_many_attempts');
    expect(await desk.logIn('ann', right, 'B')).toBe('in');
    desk.now = WINDOW_MS;
    expect(await desk.logIn('ann', right, 'A')).toBe('in');
  });

  it('in any spelling of a name count as one', async () => {
    const desk = new LoginDesk(['admin']);
    const spellings = ['admin', 'ADMIN', 'Admin', 'aDmIn'];
    const counts = await repeat(FAILURES + 4, (n) => desk.logIn(spellings[n % 4]!, wrong, 'A'));
    expect(counts).toEqual({ bad_credentials: FAILURES, too_many_attempts: 4 });
  });

  it('in any spelling that the database takes for a user count as one, by the user’s id', async () => {
    const desk = new LoginDesk(['jürgen']);
    const { findByName } = desk;
    desk.findByName = (name) => findByName(name.toLowerCase());
    const spellings = ['JÜRGEN', 'jürgen', 'Jürgen'];
    const counts = await repeat(FAILURES + 3, (n) => desk.logIn(spellings[n % 3]!, wrong, 'A'));
    expect(counts).toEqual({ bad_credentials: FAILURES, too_many_attempts: 3 });
  });

  it('for a name that nobody has are limited as those for a user are', async () => {
    const counts = async (users: string[]) => {
      const desk = new LoginDesk(users);
      const one = await repeat(30, () => desk.logIn('Ann', wrong, 'A'));
      const many = await repeat(100, (n) => desk.logIn('ann', wrong, address(n)));
      return { one, many, events: desk.events };
    };
    expect(await counts([])).toEqual(await counts(['ann']));
  });

  it('from one address over many names come to a rate, also for a user of there who has logged in nowhere', async () => {
    const desk = new LoginDesk(['ann']);
    expect(
      await repeat(PER_ADDRESS.capacity + 20, (n) => desk.logIn(`name-${n}`, wrong, '2001:db8::1')),
    ).toEqual({
      bad_credentials: PER_ADDRESS.capacity,
      too_many_attempts: 20,
    });
    expect(await desk.logIn('ann', right, '2001:db8::2')).toBe('too_many_attempts');
    expect(await desk.logIn('ann', right, '2001:db8:0:1::2')).toBe('in');
    // The names that were refused have their turns first: those that are unknown share a few.
    const tries = await repeat(UNKNOWN_SHARES + 1, async () => {
      desk.now += PER_ADDRESS.leakMs;
      return desk.logIn('ann', right, '2001:db8::2');
    });
    expect(tries['in']).toBeGreaterThanOrEqual(1);
  });

  it('from one address over many names keep no user out who has logged in from there', async () => {
    const desk = new LoginDesk(['ann', 'bob']);
    expect(await desk.logIn('ann', right, 'A')).toBe('in');
    await repeat(200, (n) => desk.logIn(`name-${n}`, wrong, 'A'));
    expect(await repeat(50, () => desk.logIn('ann', right, 'A'))).toEqual({ in: 50 });
    expect(await desk.logIn('bob', right, 'A')).toBe('too_many_attempts');
  });

  it('for one user from many addresses come to a rate, and a calm address gets in within its bound', async () => {
    const desk = new LoginDesk(['ann']);
    expect(await desk.logIn('ann', right, 'home')).toBe('in');
    // Each address is calm for its first failures and not after that: both rates are used up.
    const counts = await repeat(1_000, (n) => desk.logIn('ann', wrong, address(n % 200)));
    expect(counts['bad_credentials']).toBeLessThanOrEqual(PER_USER_CALM.capacity + PER_USER.capacity);
    expect(await desk.logIn('ann', right, 'never seen')).toBe('too_many_attempts');
    expect(await desk.logIn('ann', right, 'home')).toBe('in');
    // Addresses that have guessed cannot use the rate of the calm ones up, however often they ask.
    const used = Array.from({ length: 20 }, (_, n) => `10.9.0.${n}`);
    desk.now += HOLD_MS;
    for (const one of used) await repeat(CALM_BELOW + 1, () => desk.logIn('ann', wrong, one));
    desk.now += HOLD_MS;
    await repeat(200, (n) => desk.logIn('ann', wrong, used[n % used.length]!));
    expect(await desk.logIn('ann', right, 'never seen')).toBe('too_many_attempts');
    // The networks of the two lists and the newcomer take turns.
    const tries = await repeat(3, async () => {
      desk.now += PER_USER_CALM.leakMs;
      return desk.logIn('ann', right, 'never seen');
    });
    expect(tries['in']).toBeGreaterThanOrEqual(1);
  });

  it('tell how long to wait: one turn for each network that came before', async () => {
    const desk = new LoginDesk(['ann']);
    await repeat(200, (n) => desk.logIn('ann', wrong, address(n)));
    const late = desk.logins.login('ann', right, 'never seen');
    await expect(late).rejects.toMatchObject({
      code: 'too_many_attempts',
      message: 'Too many wrong passwords for this user.',
      remedy: 'Try again in 6 s.',
      retryAfterSeconds: (2 * PER_USER_CALM.leakMs) / 1_000,
    });
    desk.now += 2 * PER_USER_CALM.leakMs;
    expect(await desk.logIn('ann', right, 'never seen')).toBe('in');
  });

  it('that were not checked do not count: the database was away', async () => {
    const desk = new LoginDesk(['ann']);
    const { findByName } = desk;
    desk.findByName = async () => {
      throw new Error('away');
    };
    await repeat(100, () => desk.logIn('ann', right, 'A'));
    expect(desk.throttle.size).toBe(0);
    desk.findByName = findByName;
    expect(await desk.logIn('ann', right, 'A')).toBe('in');
  });

  it('that were right do not count', async () => {
    const desk = new LoginDesk(['ann']);
    expect(await repeat(500, (n) => desk.logIn('ann', right, address(n % 7)))).toEqual({ in: 500 });
    // What is left is that the user is known at these addresses.
    expect(desk.throttle.size).toBe(7);
  });
});

describe('what is remembered', () => {
  it('is bounded, and no invented name makes a user’s count forgotten', () => {
    const throttle = new LoginThrottle(() => 0);
    const ann = { group: 'A', user: 'id of ann', exists: true };
    for (let n = 0; n < FAILURES; n++) throttle.attempted(ann);
    for (let n = 0; n < 3 * REMEMBERED; n++)
      throttle.attempted({ group: address(n), user: `name-${n}`, exists: false });
    expect(throttle.wait(ann)).toEqual({ seconds: WINDOW_MS / 1_000, reason: 'user_from_address' });
    // Pairs, recent pairs, names and addresses, each at its bound, and what is counted of ann.
    expect(throttle.size).toBe(4 * REMEMBERED + 4);
  });

  it('expires', () => {
    let now = 0;
    const throttle = new LoginThrottle(() => now);
    for (let n = 0; n < 500; n++) throttle.attempted({ group: address(n), user: `name-${n}`, exists: false });
    now = 24 * 60 * 60_000;
    throttle.attempted({ group: 'A', user: 'x', exists: false });
    expect(throttle.size).toBe(4);
  });

  it('goes back to what it was when an attempt is withdrawn', () => {
    const throttle = new LoginThrottle(() => 0);
    const ann = { group: 'A', user: 'id of ann', exists: true };
    const attempts = Array.from({ length: 8 }, () => throttle.attempted(ann));
    for (const { withdraw } of attempts) withdraw();
    expect(throttle.size).toBe(0);
  });

  it('is held in the order in which it was set, and given back while it has not expired', () => {
    let now = 0;
    const map = new ExpiringMap<number>({ limit: 2, lifetimeMs: 10, now: () => now });
    map.set('a', 1);
    map.set('b', 2);
    map.set('a', 3);
    map.set('c', 4);
    expect([map.get('a'), map.get('b'), map.get('c'), map.size]).toEqual([3, undefined, 4, 2]);
    now = 10;
    expect([map.get('a'), map.get('c')]).toEqual([undefined, undefined]);
    map.set('d', 5);
    expect(map.size).toBe(1);
  });
});

it('names are folded in ASCII only', () => {
  expect(foldUsername('ADMIN.Ann_1@X-Y')).toBe('admin.ann_1@x-y');
  expect(foldUsername('admİn')).toBe('admİn');
  expect(foldUsername('JÜRGEN \u212A')).toBe('jÜrgen \u212A');
});
