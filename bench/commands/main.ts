import { parseArgs } from 'node:util';
import { pgDatabase } from '@streamspace/control-plane/pg';
import type { Database } from '@streamspace/control-plane';
import { requirePostgres, startPostgres } from '../../tests/servers/postgres.js';
import { table } from '../tunnel/table.js';
import { goalsOf, type Goal, type Results } from './goals.js';
import { httpRates } from './http.js';
import { LargeTables } from './large-tables.js';
import { queuePath, rowPath } from './paths.js';
import { compare, idle } from './rates.js';
import { openWorld } from './world.js';

/** How much is measured: about three minutes, or less than half a minute. */
const FULL = { rounds: 3, seconds: 4, idleSeconds: 10, httpSeconds: 3, agents: 10_000, commands: 2_000_000 };
const QUICK = { rounds: 1, seconds: 1.5, idleSeconds: 2, httpSeconds: 1, agents: 2_000, commands: 50_000 };
/** Agents that one redelivery is measured of each. */
const REDELIVERIES = 300;
const HEARTBEAT_CYCLES = 5;

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
  },
});
const size = values.quick ? QUICK : FULL;

async function measure(open: () => Promise<Database>): Promise<Results> {
  const world = await openWorld(await open());
  const paths = [queuePath(world), rowPath(world.database)] as const;
  const rates = [];
  for (const producers of [32, 256]) rates.push(await compare(world, paths, { ...size, producers }));
  const idleTimes = await idle(world, paths[0], size.idleSeconds);
  await verify(world.database);
  const database = await open();
  // Agents that count as connected for as long as this takes.
  await openWorld(database);
  const http = await httpRates(database, { producers: [1, 32], seconds: size.httpSeconds });
  const { tables, stores } = await LargeTables.open(await open(), size);
  const redelivery = await tables.redelivery(stores, REDELIVERIES);
  const heartbeats = await tables.heartbeats(stores, HEARTBEAT_CYCLES);
  const { rows } = await database.query<{ server_version: string }>('show server_version');
  const postgres = rows[0]!.server_version;
  return { postgres, quick: values.quick, rates, idle: idleTimes, http, redelivery, heartbeats };
}

/** Nothing counts that was not written in full. */
async function verify(database: Database): Promise<void> {
  const { rows } = await database.query<{ unwritten: number }>(
    `select count(*)::int as unwritten from agent_commands c join sessions s on s.id = c.session_id
      where c.status <> 'completed' or c.acked_at is null or c.result is null or s.state <> 'running'`,
  );
  if (rows[0]?.unwritten !== 0) throw new Error(`${rows[0]?.unwritten} commands were not written in full`);
}

function print(results: Results, goals: readonly Goal[]): void {
  const { rates, idle: idleTimes, http, redelivery, heartbeats } = results;
  const whole = (value: number): string => value.toFixed(0);
  const ms = (value: number): string => value.toFixed(2);
  console.log(
    table([
      ['producers', 'CommandQueue/s', 'p50 ms', 'row at a time/s', 'p50 ms', 'ratio'],
      ...rates.map((rate) => [
        whole(rate.producers),
        whole(rate.queuePerSecond),
        ms(rate.queueP50Ms),
        whole(rate.rowsPerSecond),
        ms(rate.rowsP50Ms),
        `${rate.ratio.toFixed(1)}x`,
      ]),
    ]),
  );
  console.log(
    `idle: p50 ${ms(idleTimes.p50Ms)} ms, p99 ${ms(idleTimes.p99Ms)} ms of ${idleTimes.commands} commands`,
  );
  for (const { producers, perSecond, p50Ms, p99Ms } of http)
    console.log(
      `POST /api/v1/sessions, ${producers} at once: ${whole(perSecond)}/s, p50 ${ms(p50Ms)} ms, p99 ${ms(p99Ms)} ms`,
    );
  console.log(
    `redelivery with ${redelivery.commands} commands, ${redelivery.open} open: query p50 ${ms(redelivery.queryP50Ms)} ms, ` +
      `p99 ${ms(redelivery.queryP99Ms)} ms; claim p50 ${ms(redelivery.claimP50Ms)} ms, p99 ${ms(redelivery.claimP99Ms)} ms; ` +
      `sweep of all agents ${ms(redelivery.sweepMs)} ms`,
  );
  console.log(
    `heartbeats of ${heartbeats.agents} agents: ${ms(heartbeats.cycleMs)} ms a cycle, row at a time ` +
      `${whole(heartbeats.rowsMs)} ms (${heartbeats.ratio.toFixed(1)}x)`,
  );
  for (const goal of goals.filter(({ met }) => !met)) console.log(`MISSED: ${sentence(goal)}`);
}

const sentence = ({ what, value, unit, goal }: Goal): string =>
  `${what}: ${value.toFixed(2)} ${unit}, the goal is ${goal}`;

const binaries = await requirePostgres();
if (binaries === undefined) process.exit(1);
const server = await startPostgres(binaries, { syncs: true });
const databases: Database[] = [];
let stopping: Promise<void> | undefined;
const stop = (): Promise<void> =>
  (stopping ??= (async () => {
    await server[Symbol.asyncDispose]();
    await Promise.allSettled(databases.map((database) => database[Symbol.asyncDispose]()));
  })());
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void stop().finally(() => process.exit(130)));
try {
  // Bulk loads go without triggers.
  await server.administer(`grant set on parameter session_replication_role to ${server.user}`);
  const results = await measure(async () => {
    const { host, port, user } = server;
    const database = await pgDatabase({
      ...{ host, port, user, database: await server.createDatabase() },
      statementTimeoutMs: 120_000,
      prepareStatements: true,
      onError: () => undefined,
    });
    databases.push(database);
    return database;
  });
  const goals = goalsOf(results);
  if (values.json) console.log(JSON.stringify({ ...results, goals }, null, 2));
  else print(results, goals);
  const missed = goals.filter(({ met }) => !met);
  if (values.check && missed.length > 0) {
    console.error(`missed: ${missed.map(sentence).join('; ')}`);
    process.exitCode = 1;
  }
} finally {
  await stop();
}
