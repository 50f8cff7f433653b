import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressGroup } from '../src/auth/address-group.js';
import { FairLine } from '../src/auth/fair-line.js';
import { RUNNING, WAITING, WAITING_PER_GROUP } from '../src/auth/hash-turns.js';
import { PER_ADDRESS } from '../src/auth/throttle.js';
import { LoginDesk, settled } from './support/login-desk.js';

const REAL = Array.from({ length: 12 }, (_, n) => `real-${n}`);
const addressOf = (n: number): string => `198.51.100.${n}`;

/** Logs the real users in, each from an address of its own, at the same time as 120 strangers. */
async function rush(strangers: readonly string[]): Promise<{ desk: LoginDesk; outcomes: string[] }> {
  const desk = new LoginDesk(REAL, { byHand: true });
  const outcomes = [
    ...strangers.map((address, n) => desk.logIn(`stranger-${n}`, `wrong ${n}`, address)),
    ...REAL.map((name, n) => desk.logIn(name, `right ${name}`, addressOf(n))),
  ];
  await desk.endAll();
  return { desk, outcomes: await Promise.all(outcomes) };
}
const counted = (outcomes: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
};
const real = (served: readonly string[]): string[] => served.filter((one) => one.startsWith('right'));

describe('logging in while 120 strangers do', () => {
  it('from one address: all get in, each after one of the strangers at most', async () => {
    const { desk, outcomes } = await rush(new Array<string>(120).fill('203.0.113.7'));
    expect(outcomes.slice(-12)).toEqual(new Array(12).fill('in'));
    // Two strangers run first; then one more has its turn, and the real users are next, in the order in which they came.
    expect(real(desk.served)).toEqual(REAL.map((name) => `right ${name}`));
    expect(desk.served.slice(RUNNING + 1, RUNNING + 1 + REAL.length)).toEqual(
      REAL.map((name) => `right ${name}`),
    );
    // The rest of the one address: as many as it may have in the line, and what is past that, or past its rate, refused.
    expect(desk.served).toHaveLength(RUNNING + WAITING_PER_GROUP + REAL.length);
    expect(counted(outcomes)).toEqual({
      in: REAL.length,
      bad_credentials: RUNNING + WAITING_PER_GROUP,
      busy: PER_ADDRESS.capacity - RUNNING - WAITING_PER_GROUP,
      too_many_attempts: 120 - PER_ADDRESS.capacity,
    });
  });

  it('from 40 addresses: all get in within the first round, and no stranger is refused as busy', async () => {
    const { desk, outcomes } = await rush(Array.from({ length: 120 }, (_, n) => `203.0.113.${n % 40}`));
    expect(outcomes.slice(-12)).toEqual(new Array(12).fill('in'));
    expect(desk.served.slice(RUNNING + 40, RUNNING + 40 + REAL.length)).toEqual(
      REAL.map((name) => `right ${name}`),
    );
    expect(outcomes).not.toContain('busy');
    expect(desk.served).toHaveLength(120 + REAL.length);
  });

  it('from networks of IPv6: the addresses of one network are one', async () => {
    const { outcomes } = await rush(Array.from({ length: 120 }, (_, n) => `2001:db8::${n.toString(16)}`));
    expect(outcomes.slice(-12)).toEqual(new Array(12).fill('in'));
    expect(counted(outcomes)['too_many_attempts']).toBe(120 - PER_ADDRESS.capacity);
  });

  it('with a full line: the address with the most loses its newest, and not the newcomer', async () => {
    const desk = new LoginDesk(['ann'], { byHand: true });
    const count = RUNNING + WAITING;
    const strangers = Array.from({ length: count }, (_, n) =>
      desk.logIn(`stranger-${n}`, `wrong ${n}`, `203.0.113.${n % 16}`),
    );
    await settled();
    const ann = desk.logIn('ann', 'right ann', addressOf(1));
    await desk.endAll();
    expect(await ann).toBe('in');
    const outcomes = await Promise.all(strangers);
    expect(outcomes.filter((outcome) => outcome === 'busy')).toHaveLength(1);
    expect(desk.served.indexOf('right ann')).toBe(RUNNING + 16);
  });

  it('a user who has logged in from there takes turns with all strangers together', async () => {
    const desk = new LoginDesk(['ann'], { byHand: true });
    const first = desk.logIn('ann', 'right 1', addressOf(1));
    await desk.endAll();
    expect(await first).toBe('in');
    const strangers = Array.from({ length: 200 }, (_, n) =>
      desk.logIn(`stranger-${n}`, `wrong ${n}`, `203.0.113.${n}`),
    );
    await settled();
    const again = ['right 2', 'right 3'].map((password) => desk.logIn('ann', password, addressOf(1)));
    await desk.endAll();
    expect(await Promise.all(again)).toEqual(['in', 'in']);
    expect(desk.served.map((one) => one.startsWith('right')).slice(1, RUNNING + 4)).toEqual([
      false,
      false,
      true,
      false,
      true,
    ]);
    expect((await Promise.all(strangers)).every((outcome) => outcome === 'bad_credentials')).toBe(true);
  });
});

describe('a fair line', () => {
  const limits = fc.record({
    total: fc.integer({ min: 1, max: 12 }),
    perKey: fc.integer({ min: 1, max: 5 }),
  });
  const steps = fc.array(
    fc.oneof({ weight: 3, arbitrary: fc.integer({ min: 0, max: 5 }) }, fc.constant('serve')),
    {
      maxLength: 200,
    },
  );

  it('serves no key twice while another waits, keeps each key’s order, loses nothing, and stays in its bounds', () => {
    fc.assert(
      fc.property(limits, steps, ({ total, perKey }, actions) => {
        const line = new FairLine<{ key: string; n: number }>({ total, perKey });
        /** What waits, by key, oldest first; and who was served since a key began to wait. */
        const waiting = new Map<string, number[]>();
        const servedSince = new Map<string, Set<string>>();
        let n = 0;
        const count = () => [...waiting.values()].reduce((sum, items) => sum + items.length, 0);
        const remove = ({ key, n: item }: { key: string; n: number }) => {
          const rest = waiting.get(key)!.filter((one) => one !== item);
          if (rest.length > 0) waiting.set(key, rest);
          else {
            waiting.delete(key);
            servedSince.delete(key);
          }
        };
        for (const action of actions) {
          if (action === 'serve') {
            const item = line.shift();
            if (!item) {
              expect(waiting.size).toBe(0);
              continue;
            }
            expect(item.n).toBe(waiting.get(item.key)![0]);
            remove(item);
            for (const [key, served] of servedSince) {
              if (key === item.key) {
                served.clear();
                continue;
              }
              expect(served.has(item.key)).toBe(false);
              served.add(item.key);
            }
          } else {
            const key = `key ${String(action)}`;
            const item = { key, n: n++ };
            const before = count();
            const most = Math.max(0, ...[...waiting.values()].map((items) => items.length));
            const own = waiting.get(key)?.length ?? 0;
            const dropped = line.push(key, item);
            if (dropped !== item) {
              if (dropped) {
                expect(before).toBe(total);
                expect(waiting.get(dropped.key)).toHaveLength(most);
                expect(dropped.n).toBe(waiting.get(dropped.key)!.at(-1));
                remove(dropped);
              }
              waiting.set(key, [...(waiting.get(key) ?? []), item.n]);
              if (!servedSince.has(key)) servedSince.set(key, new Set());
            } else expect(own >= perKey || (before === total && most <= own + 1)).toBe(true);
          }
          expect(line.size).toBe(count());
          expect(line.size).toBeLessThanOrEqual(total);
          for (const items of waiting.values()) expect(items.length).toBeLessThanOrEqual(perKey);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('a group of addresses', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:c000:0201', '192.0.2.1'],
    ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2::1', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:db8::1:2:3:4:5', '2001:db8:0:1::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['', ''],
    ['unix', 'unix'],
    ['x'.repeat(100), 'x'.repeat(64)],
  ])('of %j is %j', (address, group) => {
    expect(addressGroup(address)).toBe(group);
  });

  it('is the same for every way to write an IPv6 address', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 }), (groups) => {
        const long = groups.map((group) => group.toString(16).padStart(4, '0')).join(':');
        const short = new URL(`http://[${long}]`).hostname.slice(1, -1);
        expect(addressGroup(short)).toBe(addressGroup(long.toUpperCase()));
      }),
    );
  });
});
