import { randomUUID } from 'node:crypto';
import type { Command, NewCommand } from '@streamspace/hub';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database, Queryable } from '../src/stores/database.js';
import { pgDatabase } from '../src/pg/index.js';
import { sqlCommandQueue } from '../src/stores/command-queue.js';
import { writeCommands } from '../src/stores/command-rows.js';
import { lockSession } from '../src/stores/session-rows.js';
import { changeJudged } from '../src/stores/sessions-reconcile.js';
import { openFixtures, type Fixtures } from '../src/testing/fixtures.js';
import { requirePostgres, startPostgres, type Postgres } from '../../../tests/servers/postgres.js';

const binaries = await requirePostgres();

describe.runIf(binaries)('a session that a transaction holds', () => {
  let server: Postgres;
  let one: Database;
  let other: Database;
  let on: Fixtures;
  beforeAll(async () => {
    server = await startPostgres(binaries!);
    const { host, port, user } = server;
    const database = await server.createDatabase();
    const connect = () => pgDatabase({ host, port, user, database, statementTimeoutMs: 5_000 });
    [one, other] = [await connect(), await connect()];
    on = await openFixtures(one);
  }, 30_000);
  afterAll(async () => {
    await Promise.all([one, other].map((database) => database[Symbol.asyncDispose]()));
    await server[Symbol.asyncDispose]();
  }, 30_000);

  const setUp = async () => {
    const [user, agent] = [await on.addUser(), await on.addAgent()];
    const create = () => on.createSession(on.request({ userId: user.id, platform: agent.platform }));
    return { agent, create, queue: sqlCommandQueue({ database: other }) };
  };
  /** Some statement waits for a lock. */
  const waits = async (): Promise<boolean> => {
    const { rows } = await other.query(
      `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return rows.length > 0;
  };
  const holding = async <T>(held: (tx: Queryable) => Promise<unknown>, work: () => Promise<T>): Promise<T> =>
    one.transaction(async (tx) => {
      await held(tx);
      return work();
    });

  it('does not keep the commands of others from expiring, and its own expire after that', async () => {
    const { create, queue } = await setUp();
    const [locked, free] = [await create(), await create()];
    const expire = async () => (await queue.expire(Date.now() + 61_000)).map(({ sessionId }) => sessionId);
    const held = (tx: Queryable) => lockSession(tx, locked.id);
    expect(await holding(held, expire)).toEqual([free.id]);
    expect(await expire()).toEqual([locked.id]);
  });

  it('can be referred to by what is written meanwhile', async () => {
    const { agent, create } = await setUp();
    const { id } = await create();
    const judged = { sessionId: id, agentId: agent.agentId, epoch: agent.epoch, generation: 1 };
    const refer = () => other.query('select 1 from sessions where id = $1 for key share nowait', [id]);
    for (const held of [
      (tx: Queryable) => lockSession(tx, id),
      (tx: Queryable) =>
        changeJudged(tx, [{ judged, change: { action: 'terminated' } }], { deadline: 0, skips: false }),
    ])
      expect((await holding(held, refer)).rows).toHaveLength(1);
  });

  it('takes a command once that two queues are given at the same time, and both say the same of it', async () => {
    const { agent, create, queue } = await setUp();
    const { id } = await create();
    const command = (action: NewCommand['action']): NewCommand => ({
      commandId: randomUUID(),
      agentId: agent.agentId,
      sessionId: id,
      generation: 1,
      action,
      payload: {},
      deadline: Date.now() + 60_000,
    });
    for (const given of [command('hibernate_session'), command('stop_session')]) {
      let second: Promise<Command> | undefined;
      const numbers = await one.transaction(async (tx) => {
        const written = await writeCommands(tx, [given]);
        second = queue.enqueue(given);
        second.catch(() => undefined);
        await expect.poll(waits).toBe(true);
        return written;
      });
      expect(await second).toMatchObject({ ...given, state: 'pending', seq: numbers.get(given.commandId) });
    }
    const next = await queue.enqueue(command('stop_session'));
    const { rows } = await one.query<{ seq: number }>(
      'select seq from agent_commands where session_id = $1 order by seq',
      [id],
    );
    expect(rows).toHaveLength(4);
    expect(rows.at(-1)?.seq).toBe(next.seq);
  });
});
