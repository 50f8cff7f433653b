import { parseArgs } from 'node:util';
import { download, echo, type Download } from './measure.js';
import { BenchProcess } from './processes.js';

const ROUNDS = 5;
/** Of a round's time on one path, the part that goes to the download. */
const DOWNLOAD_PART = 2 / 3;

interface Path {
  readonly name: string;
  readonly url: string;
  /** The processes whose CPU time counts. */
  readonly relays: readonly BenchProcess[];
  readonly downloads: Download[];
  readonly echoes: number[][];
}

interface Row {
  path: string;
  mbPerSecond: number;
  cpuSecondsPerGb: number;
  echoP50Us: number;
  echoP99Us: number;
}

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, seconds: { type: 'string', default: '24' } },
});
const seconds = Number(values.seconds);
if (!(seconds >= 1 && seconds <= 600)) {
  console.error(`--seconds must be a number from 1 to 600, not ${values.seconds}`);
  process.exit(2);
}

const processes: BenchProcess[] = [];
async function start(name: string, ...ports: number[]): Promise<BenchProcess> {
  const started = await BenchProcess.start(name, ...ports);
  processes.push(started);
  return started;
}

async function startPaths(): Promise<Path[]> {
  const origin = await start('origin');
  const rawRelay = await start('raw-relay', origin.port);
  const controlPlane = await start('control-plane');
  const agent = await start('agent', controlPlane.port, origin.port);
  const path = (name: string, url: string, ...relays: BenchProcess[]): Path => ({
    name,
    url,
    relays,
    downloads: [],
    echoes: [],
  });
  return [
    path('raw relay, one hop', `ws://127.0.0.1:${rawRelay.port}/`, rawRelay),
    path('tunnel, two hops', `ws://127.0.0.1:${controlPlane.port}/viewer`, controlPlane, agent),
  ];
}

async function measure(path: Path, budgetSeconds: number, keep: boolean): Promise<void> {
  const cpu = async (): Promise<number> => {
    const times = await Promise.all(path.relays.map((relay) => relay.cpuMicroseconds()));
    return times.reduce((sum, time) => sum + time, 0);
  };
  const downloaded = await download(path.url, budgetSeconds * DOWNLOAD_PART, cpu);
  const echoed = await echo(path.url, budgetSeconds * (1 - DOWNLOAD_PART));
  if (!keep) return;
  path.downloads.push(downloaded);
  path.echoes.push(echoed);
}

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? NaN;
}
const median = (values: readonly number[]): number => quantile(values, 0.5);

function summary(path: Path): Row {
  return {
    path: path.name,
    mbPerSecond: median(path.downloads.map((d) => d.bytes / 1e6 / d.seconds)),
    cpuSecondsPerGb: median(path.downloads.map((d) => d.cpuSeconds / (d.bytes / 1e9))),
    echoP50Us: median(path.echoes.map((times) => quantile(times, 0.5))),
    echoP99Us: median(path.echoes.map((times) => quantile(times, 0.99))),
  };
}

function print(rows: readonly Row[]): void {
  const cells = [
    ['path', 'MB/s', 'CPU-s/GB', 'echo p50 µs', 'p99 µs'],
    ...rows.map((row) => [
      row.path,
      row.mbPerSecond.toFixed(0),
      row.cpuSecondsPerGb.toFixed(2),
      row.echoP50Us.toFixed(0),
      row.echoP99Us.toFixed(0),
    ]),
  ];
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  for (const row of cells)
    console.log(
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
        .join('  ')
        .trimEnd(),
    );
  const [raw, tunnel] = rows;
  if (raw && tunnel)
    console.log(
      `tunnel to raw relay: ${(tunnel.mbPerSecond / raw.mbPerSecond).toFixed(2)}x MB/s, ` +
        `${(tunnel.cpuSecondsPerGb / raw.cpuSecondsPerGb).toFixed(2)}x CPU, ` +
        `${(tunnel.echoP50Us / raw.echoP50Us).toFixed(2)}x echo p50`,
    );
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
try {
  const paths = await startPaths();
  const budget = seconds / ((ROUNDS + 1) * paths.length);
  for (let round = 0; round <= ROUNDS; round++)
    for (const path of paths) await measure(path, budget, round > 0);
  const rows = paths.map(summary);
  if (values.json) console.log(JSON.stringify({ rounds: ROUNDS, seconds, rows }, null, 2));
  else print(rows);
} finally {
  await Promise.all(processes.map((child) => child.stop()));
}
