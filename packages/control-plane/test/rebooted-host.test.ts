import { CLOSE } from '@streamspace/protocol';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../src/index.js';
import { pgDatabase } from '../src/pg/index.js';
import { requirePostgres, startPostgres, type Postgres } from '../../../tests/servers/postgres.js';
import { rebootedAgent, type RebootedAgent } from './support/rebooted-agent.js';
import { startServer, type TestServer } from './support/server.js';
import { slowDatabase, type SlowDatabase } from './support/slow-database.js';
import { addRunningSessions } from './support/running-sessions.js';

const binaries = await requirePostgres();
const SESSIONS = 60;
const ONE_WAY_MS = 2;
/** Below what sixty transactions take that are this far away, one after the other. */
const ACK_TIMEOUT_MS = 400;
/** Sessions that somebody held when their batch came, for example. */
const OTHER_TRANSACTIONS = 2;

describe.runIf(binaries)('an agent whose host was rebooted, with the database far away', () => {
  let postgres: Postgres;
  let database: SlowDatabase;
  let server: TestServer | undefined;
  let agent: RebootedAgent | undefined;

  const connect = async (): Promise<Database> => {
    const { host, port, user } = postgres;
    return pgDatabase({ host, port, user, database: await postgres.createDatabase() });
  };
  const start = async (hub: { ackTimeoutMs: number }): Promise<TestServer> => {
    server = await startServer(database, { hub: { sweepIntervalMs: 50, ...hub } });
    await addRunningSessions(database, 'desk-1', SESSIONS);
    return server;
  };
  const dial = async ({ controlPlane, wsUrl }: TestServer, acknowledges = true): Promise<RebootedAgent> =>
    rebootedAgent({
      url: wsUrl,
      agentId: 'desk-1',
      key: await controlPlane.agents.issueKey('desk-1'),
      acknowledges,
    });
  const running = async (): Promise<number> => {
    const { rows } = await database.query<{ count: number }>(
      `select count(*) from sessions where state = 'running' and generation = 2`,
    );
    return rows[0]!.count;
  };
  /** Transactions that began a new generation of a session. */
  const restarts = (): number =>
    database.transactions.filter((sql) => sql.some((text) => /update sessions[^;]*generation =/.test(text)))
      .length;

  beforeAll(async () => {
    postgres = await startPostgres(binaries!);
  }, 30_000);
  afterEach(async () => {
    await agent?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  });
  afterAll(() => postgres[Symbol.asyncDispose](), 30_000);

  it('keeps its connection while its acknowledgements wait for us, and gets all sessions again, in few transactions', async () => {
    database = slowDatabase(await connect(), () => ONE_WAY_MS);
    agent = await dial(await start({ ackTimeoutMs: ACK_TIMEOUT_MS }));
    await expect.poll(running, { timeout: 20_000 }).toBe(SESSIONS);
    expect({ closes: agent.closes, connections: agent.connections }).toEqual({ closes: [], connections: 1 });
    expect(agent.starts).toHaveLength(SESSIONS);
    expect(new Set(agent.starts).size).toBe(SESSIONS);
    expect(restarts()).toBeLessThanOrEqual(Math.ceil(SESSIONS / 32) + OTHER_TRANSACTIONS);
  }, 30_000);

  it('loses it all the same when it acknowledges nothing', async () => {
    database = slowDatabase(await connect(), () => ONE_WAY_MS);
    agent = await dial(await start({ ackTimeoutMs: ACK_TIMEOUT_MS }), false);
    await expect.poll(() => agent?.closes[0], { timeout: 10_000 }).toMatchObject({ code: CLOSE.timeout });
    expect(agent.closes[0]?.reason).toContain(`was not acknowledged in ${ACK_TIMEOUT_MS} ms`);
  }, 20_000);
});
