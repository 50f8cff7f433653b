import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { creditBudget, type CreditBudget } from '../src/credit-budget.js';
import { ReceiveWindow } from '../src/receive-window.js';
import { Path } from '../src/round-trip.js';

const KIB = 1024;
const INITIAL = 256 * KIB;
const MAX = 4 * KIB * KIB;

let clock = 0;
let path = new Path();
let shared = true;
beforeEach(() => {
  clock = 0;
  path = new Path();
  shared = true;
});

/** One whose pool lets a lone window grow to 4 MiB. */
const roomy = (): CreditBudget => creditBudget({ growthBytes: MAX * 3 });

function open(budget: CreditBudget = roomy(), more: { maxWindowBytes?: number } = {}): ReceiveWindow {
  const window = ReceiveWindow.reserve({
    initialWindowBytes: INITIAL,
    maxWindowBytes: MAX,
    windowIdleMs: 1_000,
    budget,
    path,
    isShared: () => shared,
    now: () => clock,
    ...more,
  });
  if (!window) throw new Error('the budget is used up');
  return window;
}

/** Uses all of the credit up in `ms`, and answers a PING after `roundTripMs`. */
function useUp(window: ReceiveWindow, ms: number, roundTripMs: number): void {
  while (!path.known) path.sample(roundTripMs, clock);
  const parts = 8;
  const bytes = window.grantedBytes;
  for (let i = 1; i <= parts; i++) {
    const part = Math.floor((bytes * i) / parts) - Math.floor((bytes * (i - 1)) / parts);
    const nonce = window.received(part);
    if (nonce !== undefined) {
      clock += roundTripMs;
      window.pong(nonce);
      clock -= roundTripMs;
    }
    clock += ms / parts;
    window.consumed(part);
  }
  window.announce();
}

describe('the window of a stream', () => {
  it('is doubled each time when two in a row are used up within four round trips each, up to 4 MiB', () => {
    const window = open();
    const sizes = [window.size];
    for (let i = 0; i < 6; i++) {
      useUp(window, 390, 100);
      useUp(window, 390, 100);
      sizes.push(window.size);
    }
    expect(sizes.map((size) => size / INITIAL)).toEqual([1, 2, 4, 8, 16, 16, 16]);
    expect(window.grantedBytes).toBe(MAX);
  });

  it('stays where a window lasts longer than four round trips', () => {
    const window = open();
    for (let i = 0; i < 5; i++) useUp(window, 500, 100);
    expect(window.size).toBe(INITIAL);
  });

  it('stays where no round trip is known', () => {
    const window = open();
    for (let i = 0; i < 4; i++) {
      window.received(INITIAL);
      window.consumed(INITIAL);
      window.announce();
    }
    expect(window.size).toBe(INITIAL);
  });

  it('goes by the shortest of the last round trips of any stream, which queues do not lengthen', () => {
    const [window, other] = [open(), open()];
    useUp(other, 300, 10);
    for (let i = 0; i < 4; i++) useUp(window, 300, 400);
    expect(window.size).toBe(INITIAL);
  });

  it('takes no PING for a long path where two windows come and go within less', () => {
    const window = open();
    for (let i = 0; i < 6; i++) useUp(window, 2, 50);
    expect(window.size).toBeLessThanOrEqual(INITIAL);
  });

  it('follows a path that became longer within a minute', () => {
    const window = open();
    useUp(window, 300, 10);
    for (let i = 0; i < 4; i++) {
      clock += 30_001;
      useUp(window, 300, 100);
      useUp(window, 300, 100);
    }
    expect(window.size).toBeGreaterThan(INITIAL);
  });

  it('is halved beside others where the path is shorter than 2 ms, and whole again when it is longer', () => {
    const window = open();
    useUp(window, 1, 0.5);
    const { limit } = window;
    useUp(window, 1, 0.5);
    expect(window.limit).toBeGreaterThanOrEqual(limit);
    expect(window.size).toBe(INITIAL / 2);
    shared = false;
    for (let used = 0; used < 3; used++) useUp(window, 1, 0.5);
    expect(window.size).toBe(INITIAL);
    shared = true;
    for (let used = 0; used < 3; used++) useUp(window, 1, 0.5);
    expect(window.size).toBe(INITIAL / 2);
    for (let i = 0; i < 4; i++) {
      clock += 30_001;
      for (let used = 0; used < 3; used++) useUp(window, 10, 3);
    }
    expect(window.size).toBe(INITIAL);
  });

  it('does not grow where the path is shorter than 5 ms', () => {
    const window = open();
    for (let i = 0; i < 5; i++) useUp(window, 4, 4.9);
    expect(window.size).toBe(INITIAL);
  });

  it('pings with the first byte, then after 64 KiB, and no more than four times a second once the path is known', () => {
    const window = open();
    const first = window.received(1);
    expect(first).toBeDefined();
    expect(window.received(INITIAL)).toBeUndefined();
    clock += 10;
    expect(window.pong(first! + 1)).toBe(false);
    expect(window.pong(first!)).toBe(true);
    expect(window.pong(first!)).toBe(false);
    for (let nonce = first! + 1; !path.known; nonce++) {
      expect(window.received(64 * KIB)).toBe(nonce);
      clock += 10;
      expect(window.pong(nonce)).toBe(true);
    }
    clock += 239;
    expect(window.received(64 * KIB - 1)).toBeUndefined();
    clock += 1;
    expect(window.received(1)).toBeDefined();
    // An answer that never comes is not waited for for good.
    clock += 9_999;
    expect(window.received(64 * KIB)).toBeUndefined();
    clock += 1;
    expect(window.received(64 * KIB)).toBeDefined();
  });

  it('pings not at all where the window is as large as it may be', () => {
    const window = open(creditBudget(), { maxWindowBytes: INITIAL });
    expect(window.received(INITIAL)).toBeUndefined();
  });

  it('withdraws nothing after idleness, and withholds grants until 256 KiB are left', () => {
    const budget = roomy();
    const window = open(budget);
    for (let i = 0; i < 8; i++) useUp(window, 300, 100);
    expect(window.grantedBytes).toBe(MAX);
    const { limit } = window;
    clock += 1_001;
    // Read at leisure from here on, so that the window does not grow again.
    const step = 64 * KIB;
    for (let used = step; used <= MAX - INITIAL; used += step) {
      window.received(step);
      clock += 500;
      window.consumed(step);
      expect(window.announce().limit).toBe(limit);
      expect(budget.usedBytes).toBe(window.grantedBytes);
      expect(budget.growthUsedBytes).toBe(window.grantedBytes - INITIAL);
    }
    expect(window.grantedBytes).toBe(INITIAL);
    window.received(step);
    window.consumed(step);
    expect(window.announce().limit).toBe(limit + step);
  });

  it('is told of after two full frames, at 256 KiB and at 128 KiB', () => {
    const FRAME = 65_510;
    const told = (window: ReceiveWindow): boolean[] =>
      [1, 2, 3, 4].map(() => {
        window.received(FRAME);
        const due = window.consumed(FRAME);
        if (due) window.announce();
        return due;
      });
    expect(told(open())).toEqual([false, true, false, true]);
    const halved = open();
    for (let i = 0; i < 4; i++) useUp(halved, 1, 0.5);
    expect(halved.size).toBe(INITIAL / 2);
    expect(told(halved)).toEqual([false, true, false, true]);
  });

  it('keeps its size through pauses of up to a second', () => {
    const window = open();
    useUp(window, 300, 100);
    useUp(window, 300, 100);
    clock += 1_000;
    window.received(1);
    expect(window.size).toBe(2 * INITIAL);
  });
});

describe('a stall of the reader', () => {
  /** A grown window whose 4 MiB have all come before the reader goes on after `pauseMs`. */
  function stalled(pauseMs: number): ReceiveWindow {
    const window = open();
    for (let i = 0; i < 8; i++) useUp(window, 300, 100);
    expect(window.grantedBytes).toBe(MAX);
    window.received(MAX);
    clock += pauseMs;
    return window;
  }

  it('makes no short path of bytes that waited in memory', () => {
    const window = stalled(2_000);
    for (let read = 0; read < MAX; read += 64 * KIB) {
      window.consumed(64 * KIB);
      window.announce();
    }
    expect(path.roundTripMs).toBe(100);
    expect(window.size).toBe(INITIAL);
    for (let i = 0; i < 3; i++) useUp(window, 100, 100);
    expect(window.size).toBeGreaterThan(INITIAL);
  });

  it('is a round trip again as soon as bytes have come that were granted afterwards', () => {
    const window = stalled(2_000);
    const parts = MAX / (64 * KIB);
    for (let read = 0; read < parts; read++) {
      window.consumed(64 * KIB);
      window.announce();
    }
    clock += 30;
    window.received(64 * KIB);
    window.consumed(64 * KIB);
    expect(path.roundTripMs).toBe(30);
  });
});

describe('a stream that is over', () => {
  it('takes nothing from the budget when its reader deals with the last chunk', () => {
    const budget = creditBudget();
    const windows = Array.from({ length: 24 }, () => open(budget));
    for (const window of windows) {
      useUp(window, 20, 20);
      window.received(INITIAL);
      window.release();
      clock += 20;
      expect(window.consumed(INITIAL)).toBe(false);
      window.release();
    }
    expect(budget.usedBytes).toBe(0);
  });
});

describe('the pool for growth', () => {
  const POOL = 11 * KIB * KIB;

  /** Reads as fast as the path allows until the window grows no more. */
  function burst(window: ReceiveWindow): void {
    for (let before = -1; before !== window.size;) {
      before = window.size;
      for (let i = 0; i < 3; i++) useUp(window, 100, 100);
    }
  }

  it('gives the 49th viewer all of its initial window after 48 had a burst each', () => {
    const budget = creditBudget();
    const others = Array.from({ length: 48 }, () => open(budget));
    for (const window of others) burst(window);
    expect(others[0]!.size).toBe(INITIAL + Math.floor(POOL / 3));
    expect(others[1]!.size).toBeGreaterThan(2 * KIB * KIB);
    expect(budget.growthUsedBytes).toBeLessThanOrEqual(POOL);
    const late = open(budget);
    expect(late.grantedBytes).toBe(INITIAL);
    expect(budget.usedBytes).toBeLessThanOrEqual(49 * INITIAL + POOL);
    // What idle viewers still have granted comes back as it is used up.
    clock += 2_000;
    for (const window of others.slice(0, 3))
      for (let i = 0; i < 20; i++) {
        const bytes = Math.min(window.grantedBytes, INITIAL);
        window.received(bytes);
        clock += 900;
        window.consumed(bytes);
        window.announce();
      }
    expect(others[0]!.size).toBe(INITIAL);
    expect(budget.growthUsedBytes).toBeLessThan(POOL / 2);
    burst(late);
    expect(late.size).toBeGreaterThan(4 * INITIAL);
  });

  it('is shared in equal parts by those that read at the same time, and leaves two parts free', () => {
    const budget = creditBudget();
    const first = open(budget);
    burst(first);
    const windows = [first, ...Array.from({ length: 9 }, () => open(budget))];
    for (let i = 0; i < 120; i++) for (const window of windows) useUp(window, 30, 100);
    for (const window of windows) {
      expect(window.size).toBeGreaterThan(0.9 * (INITIAL + POOL / 12));
      expect(window.size).toBeLessThan(1.1 * (INITIAL + POOL / 12));
    }
  });

  it('does without growth where it is 0', () => {
    const window = open(creditBudget({ growthBytes: 0 }));
    burst(window);
    expect(window.size).toBe(INITIAL);
  });

  it('bounds what is reserved in any order of opening, reading, idling and closing', () => {
    const streams = 50;
    const step = fc.record({
      who: fc.nat(streams - 1),
      what: fc.constantFrom('read', 'read', 'read', 'burst', 'idle', 'close'),
      part: fc.double({ min: 0.1, max: 1, noNaN: true }),
      waitMs: fc.nat(300),
    });
    let most = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 150, maxLength: 300 }), (steps) => {
        clock = 0;
        path = new Path();
        for (let i = 0; i < 3; i++) path.sample(100, clock);
        const budget = creditBudget();
        const windows = Array.from({ length: streams }, () => open(budget));
        for (const { who, what, part, waitMs } of steps) {
          const window = windows[who]!;
          if (what === 'close') {
            window.release();
            windows[who] = open(budget);
            expect(windows[who].grantedBytes).toBe(INITIAL);
          } else if (what === 'idle') clock += 5 * waitMs;
          else
            for (let times = what === 'burst' ? 6 : 1; times > 0; times--) {
              const bytes = Math.ceil(window.grantedBytes * part);
              window.received(bytes);
              clock += waitMs;
              if (window.consumed(bytes)) window.announce();
            }
          const granted = windows.reduce((sum, each) => sum + each.grantedBytes, 0);
          const growth = windows.reduce((sum, each) => sum + Math.max(0, each.grantedBytes - INITIAL), 0);
          expect(granted).toBeLessThanOrEqual(budget.usedBytes);
          expect(growth).toBeLessThanOrEqual(budget.growthUsedBytes);
          expect(budget.growthUsedBytes).toBeLessThanOrEqual(POOL);
          expect(budget.usedBytes).toBeLessThanOrEqual(streams * INITIAL + POOL);
          most = Math.max(most, budget.growthUsedBytes);
        }
        for (const window of windows) window.release();
        expect([budget.usedBytes, budget.growthUsedBytes]).toEqual([0, 0]);
      }),
      { seed: 20, numRuns: 30 },
    );
    expect(most).toBeGreaterThan(POOL / 4);
  });
});

describe('a credit budget', () => {
  it('names what it allows', () => {
    expect(() => creditBudget({ bytes: 0 })).toThrow('creditBudget.bytes must be a whole number from 1');
    expect(() => creditBudget({ bytes: 1_000, growthBytes: 251 })).toThrow(
      'creditBudget.growthBytes must be a whole number from 1 to 250, not 251',
    );
    expect(creditBudget({ bytes: 1_000, growthBytes: 0 }).growthBytes).toBe(0);
    expect(creditBudget({ bytes: 1_000 }).growthBytes).toBe(250);
    expect(creditBudget().growthBytes).toBe(11 * KIB * KIB);
  });

  it('has a pool for growth that is no larger than it says, and that new windows do not wait for', () => {
    const budget = creditBudget({ bytes: 1_000, growthBytes: 200 });
    expect(budget.growthShare(0)).toBe(66);
    expect(budget.takeGrowth(66)).toBe(true);
    expect(budget.growthShare(66)).toBe(66);
    expect(budget.takeGrowth(135)).toBe(false);
    expect(budget.takeGrowth(134)).toBe(true);
    expect(budget.take(750, 'near')).toBe(true);
    expect(budget.take(1, 'near')).toBe(false);
    expect(budget.take(51, 'full')).toBe(false);
    expect(budget.take(50, 'full')).toBe(true);
    budget.giveGrowth(200);
    expect(budget.takeGrowth(1)).toBe(false);
    expect([budget.usedBytes, budget.growthUsedBytes]).toEqual([800, 0]);
  });

  it('takes nothing back that it did not give', () => {
    const budget = creditBudget({ bytes: 100 });
    expect(() => budget.give(50)).toThrow(
      'internal error: CreditBudget.give was given 50 bytes, and 0 are reserved',
    );
    expect(() => budget.giveGrowth(1)).toThrow('internal error: CreditBudget.giveGrowth');
    expect(budget.take(140, 'full')).toBe(false);
    expect(budget.take(100, 'full')).toBe(true);
  });

  it('starts windows small from three quarters on, and refuses them when nothing is left', () => {
    const budget = creditBudget({ bytes: 4 * INITIAL });
    const sizes: number[] = [];
    for (let window = tryOpen(budget); window; window = tryOpen(budget)) sizes.push(window.size);
    expect(sizes.slice(0, 4)).toEqual([INITIAL, INITIAL, INITIAL, 16 * KIB]);
    expect(sizes).toHaveLength(3 + INITIAL / (16 * KIB));
    expect(budget.usedBytes).toBe(budget.bytes);
  });

  it('stops growth near its bound, and lets a small window become an ordinary one when others are over', () => {
    const budget = creditBudget({ bytes: 4 * INITIAL });
    const others = [open(budget), open(budget), open(budget)];
    const small = open(budget);
    for (let i = 0; i < 4; i++) useUp(others[0]!, 100, 100);
    expect(others[0]!.size).toBe(INITIAL);
    for (const other of others) other.release();
    for (let i = 0; i < 2; i++) useUp(small, 900, 3);
    expect(small.size).toBe(INITIAL);
    small.release();
    small.release();
    expect(budget.usedBytes).toBe(0);
  });

  it('holds under any traffic, and no sender is left without credit', () => {
    const steps = fc.array(
      fc.record({
        who: fc.nat(3),
        part: fc.double({ min: 0, max: 1, noNaN: true }),
        waitMs: fc.nat(1_500),
        pong: fc.boolean(),
      }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(steps, fc.integer({ min: 5, max: 40 }), (actions, quarters) => {
        clock = 0;
        const budget = creditBudget({ bytes: (quarters * INITIAL) / 4 });
        const windows = [0, 1, 2, 3].flatMap(() => tryOpen(budget) ?? []);
        for (const { who, part, waitMs, pong } of actions) {
          const window = windows[who];
          if (!window) continue;
          const before = window.limit;
          const bytes = Math.ceil(window.grantedBytes * part);
          const nonce = window.received(bytes);
          clock += waitMs;
          if (pong && nonce !== undefined) window.pong(nonce);
          const due = window.consumed(bytes);
          if (window.grantedBytes === 0) expect(due).toBe(true);
          if (due) window.announce();
          expect(window.limit).toBeGreaterThanOrEqual(before);
          expect(window.grantedBytes).toBeLessThanOrEqual(MAX);
          const granted = windows.reduce((sum, each) => sum + each.grantedBytes, 0);
          expect(granted).toBeLessThanOrEqual(budget.usedBytes);
          expect(budget.usedBytes).toBeLessThanOrEqual(budget.bytes);
        }
        for (const window of windows) window.release();
        expect(budget.usedBytes).toBe(0);
      }),
    );
  });
});

function tryOpen(budget: CreditBudget): ReceiveWindow | undefined {
  return ReceiveWindow.reserve({
    initialWindowBytes: INITIAL,
    maxWindowBytes: MAX,
    windowIdleMs: 1_000,
    budget,
    path,
    isShared: () => shared,
    now: () => clock,
  });
}
