import { setTimeout as wait } from 'node:timers/promises';
import { CLOSE } from '@streamspace/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pgDatabase } from '../src/pg/index.js';
import { Random } from '../../../tests/fuzz/random.js';
import { requirePostgres, startPostgres, type Postgres } from '../../../tests/servers/postgres.js';
import { rebootedAgent, type RebootedAgent } from './support/rebooted-agent.js';
import { addRunningSessions } from './support/running-sessions.js';
import { startServer } from './support/server.js';
import { slowDatabase } from './support/slow-database.js';

const binaries = await requirePostgres();
const SEEDS = [1, 2, 3, 4, 5, 6];
/** Below what the sessions of most schedules take one by one. */
const ACK_TIMEOUT_MS = 500;

interface Schedule {
  /** Longest time of a message to or from the database, in ms. */
  readonly databaseMs: number;
  /** Sessions of each host. */
  readonly hosts: readonly number[];
  /** How long after the one before, in ms, which host is rebooted. */
  readonly reboots: readonly { readonly afterMs: number; readonly host: number }[];
}

function scheduleOf(seed: number): Schedule {
  const random = Random.of(seed, 'rebooted hosts', 0);
  const hosts = Array.from({ length: 1 + random.upTo(2) }, () => 10 + random.upTo(110));
  return {
    databaseMs: random.pick([1, 3, 8]),
    hosts,
    reboots: Array.from({ length: random.upTo(3) }, () => ({
      afterMs: random.upTo(400),
      host: random.upTo(hosts.length - 1),
    })),
  };
}

describe.runIf(binaries)('hosts that are rebooted, with a slow database', () => {
  let postgres: Postgres;
  beforeAll(async () => {
    postgres = await startPostgres(binaries!);
  }, 30_000);
  afterAll(() => postgres[Symbol.asyncDispose](), 30_000);

  it.each(SEEDS)(
    'keep their connections and get each session again, once (seed %i)',
    async (seed) => {
      const { databaseMs, hosts, reboots } = scheduleOf(seed);
      const random = Random.of(seed, 'latencies', 0);
      const { host, port, user } = postgres;
      await using pg = await pgDatabase({ host, port, user, database: await postgres.createDatabase() });
      const database = slowDatabase(pg, () => random.upTo(databaseMs));
      const hub = {
        ackTimeoutMs: ACK_TIMEOUT_MS,
        sweepIntervalMs: 50,
        heartbeatIntervalMs: 300,
        heartbeatTimeoutMs: 4_000,
        // An outcome that is stored while the next connection is claimed is found by the inventory after that.
        inventoryIntervalMs: 1_000,
      };
      await using server = await startServer(database, { hub });
      const agents: RebootedAgent[] = [];
      try {
        for (const [index, sessions] of hosts.entries()) {
          const agentId = `host-${index}`;
          const key = await server.controlPlane.agents.issueKey(agentId);
          await addRunningSessions(pg, agentId, sessions);
          agents.push(rebootedAgent({ url: server.wsUrl, agentId, key }));
        }
        for (const { afterMs, host: rebooted } of reboots) {
          await wait(afterMs);
          agents[rebooted]!.reboot();
        }
        const wanted = hosts.reduce((sum, sessions) => sum + sessions, 0);
        const held = (): number => agents.reduce((sum, agent) => sum + agent.held.length, 0);
        await expect.poll(held, { timeout: 20_000 }).toBe(wanted);
        const settled = async (): Promise<unknown> =>
          (
            await pg.query(
              `select count(*) filter (where state = 'running') as running,
                      (select count(*) from agent_commands where completed_at is null) as open from sessions`,
            )
          ).rows[0];
        await expect.poll(settled, { timeout: 10_000 }).toEqual({ running: wanted, open: 0 });
      } finally {
        for (const agent of agents) await agent[Symbol.asyncDispose]();
      }
      // A claim of the connection before may overtake that of the next one; a heartbeat shows it, which is no timeout.
      const timeouts = agents.flatMap(({ closes }) => closes.filter(({ code }) => code === CLOSE.timeout));
      expect(timeouts).toEqual([]);
      // Of one life of a host: a session that runs is not started again.
      expect(agents.map(({ restartedWhileHeld }) => restartedWhileHeld)).toEqual(hosts.map(() => []));
    },
    60_000,
  );
});
