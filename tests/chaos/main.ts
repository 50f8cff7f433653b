import { parseArgs } from 'node:util';
import { VIOLATIONS, type Violation, type ViolationKind } from './checker.js';
import { runSchedule } from './processes/run-schedule.js';
import { runSimulations } from './simulation/run.js';
import { requirePostgres, startPostgres } from '../servers/postgres.js';

const usage = `usage: npm run chaos -- [options]
  --seeds N     schedules of real processes, each with a database of its own (default 10)
  --kills N     how often the control plane is killed in each of them, at least 1 (default 5)
  --simulate N  simulated schedules, before those (default 1000)
  --seed S      the first seed, a whole number from 0 to 4294967295 (default: a random one, printed)
  --trace       print what happens in simulated schedules`;

/** Violations of one schedule that are printed. */
const SHOWN = 10;

function wholeNumber(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max)
    throw new RangeError(
      `--${name} must be a whole number from ${min} to ${max}, not ${JSON.stringify(text)}`,
    );
  return value;
}

interface Options {
  readonly seeds: number;
  readonly kills: number;
  readonly simulate: number;
  readonly seed: number;
  readonly trace: boolean;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '10' },
      kills: { type: 'string', default: '5' },
      simulate: { type: 'string', default: '1000' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 32)) },
      trace: { type: 'boolean', default: false },
    },
  });
  return {
    seeds: wholeNumber('seeds', values.seeds, 0, 1_000_000),
    kills: wholeNumber('kills', values.kills, 1, 10_000),
    simulate: wholeNumber('simulate', values.simulate, 0, 10_000_000),
    seed: wholeNumber('seed', values.seed, 0, 2 ** 32 - 1),
    trace: values.trace,
  };
}

const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** What was found over all schedules. */
class Tally {
  /** Schedules that something was wrong with. */
  failed = 0;
  readonly #found = new Map<ViolationKind, number>(VIOLATIONS.map((kind) => [kind, 0]));

  add(violations: readonly Violation[]): void {
    for (const { kind } of violations) this.#found.set(kind, this.of(kind) + 1);
  }

  of(kind: ViolationKind): number {
    return this.#found.get(kind) ?? 0;
  }
}

async function main({ seeds, kills, simulate, seed, trace }: Options): Promise<void> {
  print(`seed ${seed}`);
  const tally = new Tally();
  if (simulate > 0) {
    const report = await runSimulations({ seed, schedules: simulate, ...(trace && { trace: print }) }, print);
    tally.add(report.violations);
    tally.failed += report.failed.length;
    const perMinute = Math.round((60 * report.schedules) / report.seconds);
    print(
      `simulation: ${report.schedules} schedules in ${report.seconds.toFixed(1)} s (${perMinute} a minute), ${report.failed.length} failed`,
    );
  }
  if (seeds > 0) await runProcesses({ first: seed, seeds, kills, tally });
  for (const kind of VIOLATIONS.filter((one) => one !== 'lost' && one !== 'doubled'))
    if (tally.of(kind) > 0) print(`${tally.of(kind)} ${kind}`);
  print(`${simulate + seeds} schedules, ${tally.of('lost')} lost, ${tally.of('doubled')} doubled`);
  if (tally.failed > 0) process.exitCode = 1;
}

async function runProcesses(run: {
  first: number;
  seeds: number;
  kills: number;
  tally: Tally;
}): Promise<void> {
  const { first, seeds, kills, tally } = run;
  const binaries = await requirePostgres();
  if (binaries === undefined)
    throw new Error('schedules of real processes need PostgreSQL; or say --seeds 0');
  await using server = await startPostgres(binaries);
  // The other processes go with this one; the server would stay.
  let leaving: Promise<never> | undefined;
  const leave = async (): Promise<never> => {
    await server[Symbol.asyncDispose]();
    process.exit(130);
  };
  // A signal to the group comes here twice, the second time from npm: it must not cut the first one's work short.
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => void (leaving ??= leave()));
  for (let seed = first; seed < first + seeds; seed++) {
    const startedAt = performance.now();
    try {
      const report = await runSchedule(server, seed, kills);
      tally.add(report.violations);
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
      print(
        `processes, seed ${seed}: ${kills} kills, ${report.commands} commands, ${report.effects} calls of the platform, ` +
          `${report.retries} requests repeated, ${report.violations.length} violations, ${seconds} s`,
      );
      if (report.violations.length === 0) continue;
      for (const { kind, sessionId, detail } of report.violations.slice(0, SHOWN))
        print(`  ${kind}: session ${sessionId}: ${detail}`);
    } catch (error) {
      print(`FAILED processes, seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`);
    }
    tally.failed += 1;
    print(`  again: npm run chaos -- --simulate 0 --seeds 1 --kills ${kills} --seed ${seed}`);
  }
}

let options: Options | undefined;
try {
  options = readOptions();
} catch (error) {
  console.error(`${String(error)}\n${usage}`);
  process.exitCode = 2;
}
if (options) await main(options);
