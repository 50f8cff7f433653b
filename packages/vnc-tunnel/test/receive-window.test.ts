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

function open(budget: CreditBudget = creditBudget(), more: { maxWindowBytes?: number } = {}): ReceiveWindow {
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
    const budget = creditBudget();
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
    }
    expect(window.grantedBytes).toBe(INITIAL);
    window.received(step);
    window.consumed(step);
    expect(window.announce().limit).toBe(limit + step);
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

describe('a credit budget', () => {
  it('names what it allows', () => {
    expect(() => creditBudget({ bytes: 0 })).toThrow('creditBudget.bytes must be a whole number from 1');
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
