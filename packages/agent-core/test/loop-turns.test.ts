import { describe, expect, it } from 'vitest';
import { LoopTurns } from '../src/loop-turns.js';

/** Keeps the thread busy, as drawing a picture does. */
function work(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

describe('turns of the event loop', () => {
  it('let a few pass at once', () => {
    const turns = new LoopTurns();
    expect([turns.pass(), turns.pass()]).toEqual([undefined, undefined]);
  });

  it('come in order, and leave time for everything else between heavy work', async () => {
    const turns = new LoopTurns();
    const order: number[] = [];
    let ticks = 0;
    let open = true;
    const tick = (): void => {
      ticks += 1;
      if (open) setImmediate(tick);
    };
    setImmediate(tick);
    const stream = async (name: number): Promise<void> => {
      for (let chunk = 0; chunk < 5; chunk++) {
        await turns.pass();
        order.push(name);
        work(1);
      }
    };
    await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(stream));
    open = false;
    expect(order).toHaveLength(40);
    // Without turns all of it would be one: promises alone never let the loop go on.
    expect(ticks).toBeGreaterThan(20);
    // None of the streams is served much before another.
    expect(order.indexOf(8)).toBeLessThan(20);
    expect(new Set(order.slice(-8)).size).toBeGreaterThan(4);
  });
});
