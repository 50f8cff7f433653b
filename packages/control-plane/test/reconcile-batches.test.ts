import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Judged, Reconciled, SessionChange } from '../src/domain/ports.js';
import { pgDatabase } from '../src/pg/index.js';
import { DatabaseError } from '../src/stores/database-error.js';
import type { Database } from '../src/stores/database.js';
import { lockSession } from '../src/stores/session-rows.js';
import { changeJudged, RECONCILE_BATCH } from '../src/stores/sessions-reconcile.js';
import { createStores } from '../src/stores/stores.js';
import { openFixtures, type Fixtures } from '../src/testing/fixtures.js';
import { requirePostgres, startPostgres, type Postgres } from '../../../tests/servers/postgres.js';
import { addRunningSessions } from './support/running-sessions.js';
import { slowDatabase, type SlowDatabase } from './support/slow-database.js';

const binaries = await requirePostgres();
const SESSIONS = 60;
const RESTART: SessionChange = { action: 'restart', newGeneration: 2 };

describe.runIf(binaries)('changes that one inventory asks for', () => {
  let server: Postgres;
  let one: Database;
  let other: Database;
  let on: Fixtures;
  let refuse: (sql: string, params: readonly unknown[]) => Error | undefined;

  beforeAll(async () => {
    server = await startPostgres(binaries!);
    const { host, port, user } = server;
    const database = await server.createDatabase();
    const connect = () => pgDatabase({ host, port, user, database, statementTimeoutMs: 5_000 });
    [one, other] = [await connect(), await connect()];
    on = await openFixtures(one);
  }, 30_000);
  afterEach(async () => {
    await one.script('truncate users, agents, sessions cascade');
  });
  afterAll(async () => {
    await Promise.all([one, other].map((database) => database[Symbol.asyncDispose]()));
    await server[Symbol.asyncDispose]();
  }, 30_000);

  const setUp = async () => {
    refuse = () => undefined;
    const agent = await on.addAgent();
    await addRunningSessions(one, agent.agentId, SESSIONS);
    const held = await on.sessions.heldBy(agent.agentId, []);
    const { agentId, epoch } = agent;
    const judged = held.map(({ id, generation }): Judged => ({ sessionId: id, agentId, epoch, generation }));
    const database: SlowDatabase = slowDatabase(
      one,
      () => 0,
      (...statement) => refuse(...statement),
    );
    const stores = createStores({
      database,
      podName: 'suite',
      commandTimeoutMs: 60_000,
      staleAfterMs: 60_000,
    });
    const all = () => Promise.allSettled(judged.map((each) => stores.sessions.reconcile(each, RESTART)));
    return { agent, database, judged, all };
  };
  const count = (results: PromiseSettledResult<Reconciled>[]) =>
    results.reduce<Record<string, number>>((counts, result) => {
      const name = result.status === 'fulfilled' ? result.value : String((result.reason as Error).message);
      return { ...counts, [name]: (counts[name] ?? 0) + 1 };
    }, {});
  /** How many sessions are in which generation, and with how many commands. */
  const written = async (): Promise<unknown[]> =>
    (
      await one.query(
        `select s.generation, s.state, s.command_seq as commands, count(*) as sessions from sessions s
          group by 1, 2, 3 order by 1`,
      )
    ).rows;
  /** Some statement waits for a lock. */
  const waits = async (): Promise<boolean> => {
    const { rows } = await other.query(
      `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return rows.length > 0;
  };
  const RESTARTED = { generation: 2, state: 'pending', commands: 1 };
  const LEFT = { generation: 1, state: 'running', commands: 0 };

  it('are made in one transaction for each batch', async () => {
    const { database, all } = await setUp();
    expect(count(await all())).toEqual({ changed: SESSIONS });
    expect(database.transactions).toHaveLength(Math.ceil(SESSIONS / RECONCILE_BATCH));
    expect(await written()).toEqual([{ ...RESTARTED, sessions: SESSIONS }]);
    expect(count(await all())).toEqual({ unchanged: SESSIONS });
    expect(await written()).toEqual([{ ...RESTARTED, sessions: SESSIONS }]);
  });

  it('are made of all sessions but the one that the database does not take', async () => {
    const { all } = await setUp();
    refuse = (sql, params) =>
      sql.includes('update sessions') && JSON.stringify(params).includes('desk-of-ada-7\\"')
        ? new DatabaseError('constraint', 'a bad row')
        : undefined;
    expect(count(await all())).toEqual({ changed: SESSIONS - 1, 'a bad row': 1 });
    expect(await written()).toEqual([
      { ...LEFT, sessions: 1 },
      { ...RESTARTED, sessions: SESSIONS - 1 },
    ]);
  });

  it('are made again, once each, when the server takes the transaction back for another one', async () => {
    const { database, all } = await setUp();
    let deadlocks = 2;
    refuse = (sql) =>
      sql.includes('insert into agent_commands') && deadlocks-- > 0
        ? new DatabaseError('conflict', 'deadlock detected')
        : undefined;
    expect(count(await all())).toEqual({ changed: SESSIONS });
    expect(database.transactions).toHaveLength(Math.ceil(SESSIONS / RECONCILE_BATCH) + 2);
    expect(await written()).toEqual([{ ...RESTARTED, sessions: SESSIONS }]);
  });

  it('wait for no session that somebody else holds, but for its own change', async () => {
    const { judged, all } = await setUp();
    const results = await other.transaction(async (tx) => {
      await lockSession(tx, judged[7]!.sessionId);
      const changing = all();
      await expect
        .poll(async () => (await tx.query('select 1 from sessions where generation = 2')).rows.length)
        .toBe(SESSIONS - 1);
      return { changing };
    });
    expect(count(await results.changing)).toEqual({ changed: SESSIONS });
  });

  it('are not made once the agent has connected again, of none of the sessions', async () => {
    const { agent, all } = await setUp();
    await on.reconnect(agent);
    expect(count(await all())).toEqual({ stale: SESSIONS });
    expect(await written()).toEqual([{ ...LEFT, sessions: SESSIONS }]);
  });

  it('keep a new claim of the agent waiting until they are committed', async () => {
    const { agent, judged } = await setUp();
    const changes = judged.slice(0, 3).map((each) => ({ judged: each, change: RESTART }));
    const elsewhere = createStores({
      database: other,
      podName: 'other',
      commandTimeoutMs: 60_000,
      staleAfterMs: 60_000,
    });
    const { results, claiming } = await one.transaction(async (tx) => {
      const results = await changeJudged(tx, changes, { deadline: Date.now() + 60_000, skips: true });
      const claiming = elsewhere.ownership.claim({
        agentId: agent.agentId,
        platform: agent.platform,
        connectionId: 'another',
        instanceId: `instance of ${agent.agentId}`,
        capacity: { maxSessions: 0 },
      });
      await expect.poll(waits).toBe(true);
      return { results, claiming };
    });
    expect(results).toEqual(['changed', 'changed', 'changed']);
    expect(await claiming).toMatchObject({ ok: true });
  });
});
