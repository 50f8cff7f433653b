import { describe, expect, it } from 'vitest';
import { check } from './checker.js';
import { doubles, drops, reorders, type Broken } from './simulation/broken-dispatchers.js';
import { runSimulations } from './simulation/run.js';
import { scheduleOf } from './simulation/schedule.js';
import { simulate } from './simulation/world.js';

/** Schedules in which a broken dispatcher has to show. */
const TRIES = 60;

/** The kinds of violations that a dispatcher shows. */
async function shownBy(make: () => Broken): Promise<Set<string>> {
  const kinds = new Set<string>();
  for (let seed = 1; seed <= TRIES; seed++) {
    const { history } = await simulate(scheduleOf(seed), { sabotage: make() });
    for (const { kind } of check(history)) kinds.add(kind);
  }
  return kinds;
}

describe('the simulation', () => {
  it('loses, doubles and reorders nothing in a hundred schedules of crashes, cuts and a bad database', async () => {
    const lines: string[] = [];
    await runSimulations({ seed: 1, schedules: 100 }, (line) => lines.push(line));
    expect(lines).toEqual([]);
  });

  it('is the same each time it is given the same seed', async () => {
    const runs = [await simulate(scheduleOf(7)), await simulate(scheduleOf(7))];
    expect(runs[0]).toEqual(runs[1]);
    expect(runs[0]?.history.length).toBeGreaterThan(0);
  });

  it('catches a dispatcher that drops commands', async () => {
    expect(await shownBy(() => drops)).toContain('lost');
  });

  it('catches a dispatcher that sends finished commands again', async () => {
    expect(await shownBy(doubles)).toContain('doubled');
  });

  it('catches a dispatcher that sends a later command first', async () => {
    expect(await shownBy(reorders)).toContain('reordered');
  });
});
