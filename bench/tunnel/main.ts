import { parseArgs } from 'node:util';
import { idleViewers, type IdleViewers } from './idle-viewers.js';
import { download, echo, echoBesideDownload } from './measure.js';
import { startPaths, type Path, type Paths } from './paths.js';
import { median, quantile, table } from './table.js';

/** Rounds that count; one comes before them. */
const ROUNDS = 4;
/** Of a round's time on one path, the parts that go to the download and to each echo. */
const DOWNLOAD_PART = 0.5;
const ECHO_PART = 0.25;

interface Row {
  path: string;
  mbPerSecond: number;
  cpuSecondsPerGb: number;
  echoP50Us: number;
  echoP99Us: number;
  besideP50Us: number;
  besideP99Us: number;
}

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '36' },
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

async function measure(path: Path, budgetSeconds: number, keep: boolean): Promise<void> {
  const cpu = async (): Promise<number> => {
    const times = await Promise.all(path.relays.map((relay) => relay.cpuMicroseconds()));
    return times.reduce((sum, time) => sum + time, 0);
  };
  const downloaded = await download(path.url, budgetSeconds * DOWNLOAD_PART, cpu);
  const echoed = await echo(path.url, budgetSeconds * ECHO_PART);
  const beside = await echoBesideDownload(path.url, budgetSeconds * ECHO_PART);
  if (!keep) return;
  path.downloads.push(downloaded);
  path.echoes.push(echoed);
  path.besideEchoes.push(beside);
}

function summary(path: Path): Row {
  const over = (rounds: readonly number[][], q: number): number =>
    median(rounds.map((times) => quantile(times, q)));
  return {
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
      ...missing.map(({ path, why }) => [path, why]),
    ]),
  );
  const [raw, tunnel, naive] = rows;
  if (raw && tunnel && naive)
    console.log(
      `tunnel to raw relay: ${(tunnel.mbPerSecond / raw.mbPerSecond).toFixed(2)}x MB/s (goal 0.45), ` +
        `${(tunnel.cpuSecondsPerGb / raw.cpuSecondsPerGb).toFixed(2)}x CPU; ` +
        `${tunnel.cpuSecondsPerGb.toFixed(2)} CPU-s/GB (goal 2.5); echo beside bulk p99 ` +
        `${(tunnel.besideP99Us / naive.besideP99Us).toFixed(2)}x naive (goal 0.25)`,
    );
  console.log(
    `${idle.viewers} idle viewers: ${(idle.heldBytesEach / 1e3).toFixed(1)} KB each in the control plane ` +
      `(goal ${idle.goalBytesEach / 1e3}), ${(idle.rssBytesEach / 1e3).toFixed(1)} KB resident`,
  );
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const paths = await startPaths();
try {
  const budget = seconds / ((ROUNDS + 1) * paths.all.length);
  for (let round = 0; round <= ROUNDS; round++)
    for (const path of paths.all) await measure(path, budget, round > 0);
  const idle = await idleViewers(paths.originPort, viewers);
  const rows = paths.all.map(summary);
  const { missing } = paths;
  if (values.json)
    console.log(JSON.stringify({ rounds: ROUNDS, seconds, rows, missing, idleViewers: idle }, null, 2));
  else print(rows, missing, idle);
} finally {
  await paths.stop();
}
