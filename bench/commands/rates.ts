import { median, quantile } from '../tunnel/table.js';
import { closedLoop } from './closed-loop.js';
import type { Path } from './paths.js';
import type { World } from './world.js';

/** Sessions that one second may use up at most; a run that is faster ends before its time. */
const SESSIONS_PER_SECOND = 12_000;
/** Of a run, the part that comes before counting starts. */
const WARM_UP = 0.2;

export interface Comparison {
  readonly producers: number;
  /** Commands a second, from `enqueue` to the persisted result: the median of the rounds. */
  readonly queuePerSecond: number;
  readonly rowsPerSecond: number;
  /** The median of the rounds' ratios: what else the machine does weighs on both halves of a round. */
  readonly ratio: number;
  readonly queueP50Ms: number;
  readonly rowsP50Ms: number;
}

/** The queue and the control side by side, in turns. */
export async function compare(
  world: World,
  [queue, rows]: readonly [Path, Path],
  { producers, seconds, rounds }: { producers: number; seconds: number; rounds: number },
): Promise<Comparison> {
  const measure = async (path: Path) => {
    await world.addSessions(Math.ceil(SESSIONS_PER_SECOND * seconds * (1 + WARM_UP)));
    await closedLoop(world, path, { producers, seconds: seconds * WARM_UP });
    return closedLoop(world, path, { producers, seconds });
  };
  const all: { queue: number; rows: number; queueP50: number; rowsP50: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    const [first, second] = round % 2 === 0 ? [queue, rows] : [rows, queue];
    const [a, b] = [await measure(first), await measure(second)];
    const [ofQueue, ofRows] = first === queue ? [a, b] : [b, a];
    all.push({
      queue: ofQueue.perSecond,
      rows: ofRows.perSecond,
      queueP50: quantile(ofQueue.latenciesMs, 0.5),
      rowsP50: quantile(ofRows.latenciesMs, 0.5),
    });
  }
  return {
    producers,
    queuePerSecond: median(all.map((round) => round.queue)),
    rowsPerSecond: median(all.map((round) => round.rows)),
    ratio: median(all.map((round) => round.queue / round.rows)),
    queueP50Ms: median(all.map((round) => round.queueP50)),
    rowsP50Ms: median(all.map((round) => round.rowsP50)),
  };
}

export interface Idle {
  readonly commands: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** One command at a time, with a pause before the next: what nobody else weighs on. */
export async function idle(world: World, path: Path, seconds: number): Promise<Idle> {
  await world.addSessions(Math.ceil(1_000 * seconds));
  await closedLoop(world, path, { producers: 1, seconds: Math.min(1, seconds * WARM_UP) });
  const { latenciesMs } = await closedLoop(world, path, { producers: 1, seconds, pauseMs: 5 });
  return {
    commands: latenciesMs.length,
    p50Ms: quantile(latenciesMs, 0.5),
    p99Ms: quantile(latenciesMs, 0.99),
  };
}
