import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requirePostgres, startPostgres, type Postgres } from '../servers/postgres.js';
import { runStarts, START_STEPS, stepsOf } from './processes/start-schedule.js';

const binaries = await requirePostgres();
/** How long one schedule may take, in ms. Alone on two cores it is a tenth of it. */
const LIMIT_MS = 180_000;

describe.runIf(binaries)('a control plane whose agents are connected', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres(binaries!);
  }, 60_000);
  afterAll(() => server[Symbol.asyncDispose](), 30_000);

  for (const seed of [1, 2])
    it.concurrent(
      `keeps or regains them whatever is started beside it or in its place (seed ${seed})`,
      async () => {
        expect(await runStarts(server, seed, stepsOf(seed))).toEqual([]);
      },
      LIMIT_MS,
    );
});

describe('steps of a schedule of starts', () => {
  it('are all there, in the order of the seed, and the same each time', () => {
    for (const seed of [1, 2]) {
      expect(stepsOf(seed, 3)).toEqual(stepsOf(seed, 3));
      expect([...stepsOf(seed)].sort()).toEqual([...START_STEPS].sort());
    }
    expect(stepsOf(1)).not.toEqual(stepsOf(2));
  });
});
