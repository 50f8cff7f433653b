import { check, type Violation } from '../checker.js';
import { realNow } from './virtual-clock.js';
import { scheduleOf } from './schedule.js';
import { simulate, type SimulationOptions } from './world.js';

export interface SimulationReport {
  readonly schedules: number;
  readonly violations: readonly Violation[];
  /** Seeds that something was wrong with. */
  readonly failed: readonly number[];
  readonly seconds: number;
}

/** Violations of one seed's run that are printed. */
const SHOWN = 5;

/** Runs schedules of consecutive seeds and prints what is wrong with them, and how to see it again. */
export async function runSimulations(
  { seed, schedules, ...options }: { seed: number; schedules: number } & SimulationOptions,
  print: (line: string) => void,
): Promise<SimulationReport> {
  const startedAt = realNow();
  const violations: Violation[] = [];
  const failed: number[] = [];
  const loose: unknown[] = [];
  const onLoose = (error: unknown): void => void loose.push(error);
  process.on('unhandledRejection', onLoose);
  try {
    for (let current = seed; current < seed + schedules; current++) {
      const { history } = await simulate(scheduleOf(current), options);
      const found = check(history);
      const unhandled = loose.splice(0);
      if (found.length + unhandled.length === 0) continue;
      failed.push(current);
      violations.push(...found);
      print(`FAILED simulation, seed ${current}:`);
      for (const { kind, sessionId, detail } of found.slice(0, SHOWN))
        print(`  ${kind}: session ${sessionId}: ${detail}`);
      if (found.length > SHOWN) print(`  and ${found.length - SHOWN} more`);
      for (const error of unhandled) print(`  unhandled: ${describe(error)}`);
      print(`  again: npm run chaos -- --seeds 0 --simulate 1 --seed ${current}`);
    }
  } finally {
    process.off('unhandledRejection', onLoose);
  }
  return { schedules, violations, failed, seconds: (realNow() - startedAt) / 1000 };
}

const describe = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);
