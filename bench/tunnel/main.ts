import { parseArgs } from 'node:util';
import { goals, sentence, type Row } from './goals.js';
import { idleViewers, type IdleViewers } from './idle-viewers.js';
import { download, echo, echoBesideDownload } from './measure.js';
import { startPaths, type Path, type Paths } from './paths.js';
import { median, quantile, table } from './table.js';

const ROUNDS = 5;
/** Of the whole time, what is spent first on downloads that do not count: a new process is busy compiling its code. */
const WARM_UP_PART = 0.25;
/** Of a round's time on one path, the parts that go to the download and to each echo. */
const DOWNLOAD_PART = 0.5;
const ECHO_PART = 0.25;
/** What starting, stopping and idle viewers may take besides, in seconds. Past it the run fails. */
const SPARE_SECONDS = 120;

const { values } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '48' },
    viewers: { type: 'string', default: '2000' },
  },
});
const seconds = numberOption('seconds', values.seconds, 1, 600);
const viewers = numberOption('viewers', values.viewers, 1, 20_000);

function numberOption(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (value >= min && value <= max) return value;
  console.error(`--${name} must be a number from ${min} to ${max}, not ${text}`);
  process.exit(2);
}

async function measure(path: Path, budgetSeconds: number): Promise<void> {
  path.downloads.push(await download(path.url, budgetSeconds * DOWNLOAD_PART, () => cpu(path)));
  path.echoes.push(await echo(path.url, budgetSeconds * ECHO_PART));
  path.besideEchoes.push(await echoBesideDownload(path.url, budgetSeconds * ECHO_PART));
}

async function cpu(path: Path): Promise<number> {
  const times = await Promise.all(path.relays.map((relay) => relay.cpuMicroseconds()));
  return times.reduce((sum, time) => sum + time, 0);
}

function summary(path: Path): Row {
  const over = (rounds: readonly number[][], q: number): number =>
    median(rounds.map((times) => quantile(times, q)));
  return {
    id: path.id,
    path: path.name,
    mbPerSecond: median(path.downloads.map((d) => d.bytes / 1e6 / d.seconds)),
    cpuSecondsPerGb: median(path.downloads.map((d) => d.cpuSeconds / (d.bytes / 1e9))),
    echoP50Us: over(path.echoes, 0.5),
    echoP99Us: over(path.echoes, 0.99),
    besideP50Us: over(path.besideEchoes, 0.5),
    besideP99Us: over(path.besideEchoes, 0.99),
  };
}

function print(rows: readonly Row[], missing: Paths['missing'], idle: IdleViewers): void {
  const whole = (value: number): string => value.toFixed(0);
  console.log(
    table([
      ['path', 'MB/s', 'CPU-s/GB', 'echo p50 µs', 'p99 µs', 'beside bulk p50 µs', 'p99 µs'],
      ...rows.map((row) => [
        row.path,
        whole(row.mbPerSecond),
        row.cpuSecondsPerGb.toFixed(2),
        ...[row.echoP50Us, row.echoP99Us, row.besideP50Us, row.besideP99Us].map(whole),
      ]),
    ]),
  );
  for (const { path, why } of missing) console.log(`${path}  ${why}`);
  console.log(
    `\n${idle.viewers} idle viewers: ${(idle.heldBytesEach / 1e3).toFixed(1)} KB each in the control plane, ` +
      `${(idle.rssBytesEach / 1e3).toFixed(1)} KB resident\n\nThe tunnel:`,
  );
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const late = setTimeout(
  () => {
    console.error(`not finished within ${seconds} + ${SPARE_SECONDS} s`);
    process.exit(1);
  },
  (seconds + SPARE_SECONDS) * 1000,
);
const paths = await startPaths();
try {
  const count = paths.all.length;
  for (const path of paths.all)
    await download(path.url, (seconds * WARM_UP_PART) / count, () => Promise.resolve(0));
  const budget = (seconds * (1 - WARM_UP_PART)) / (ROUNDS * count);
  for (let round = 0; round < ROUNDS; round++) for (const path of paths.all) await measure(path, budget);
  const idle = await idleViewers(paths.originPort, viewers);
  const rows = paths.all.map(summary);
  const { missing } = paths;
  const reached = goals(rows, idle);
  if (values.json) {
    const result = { rounds: ROUNDS, seconds, rows, missing, idleViewers: idle, goals: reached };
    console.log(JSON.stringify(result, null, 2));
  } else {
    print(rows, missing, idle);
    for (const goal of reached) console.log(sentence(goal));
  }
  const missed = reached.filter(({ met }) => !met);
  if (values.check && missed.length > 0) {
    for (const goal of missed) console.error(sentence(goal));
    process.exitCode = 1;
  }
} finally {
  await paths.stop();
  clearTimeout(late);
}
