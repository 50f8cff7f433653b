import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pgDatabase, type PgDatabaseOptions } from '../src/pg/index.js';
import type { Database } from '../src/index.js';
import { migrate } from '../src/stores/migrate.js';
import { MIGRATIONS } from '../src/stores/migrations/index.js';
import { databaseSuite, storesSuite } from '../src/testing/index.js';
import { requirePostgres, startPostgres, type Postgres } from '../../../tests/servers/postgres.js';

const binaries = await requirePostgres();
const runner = { describe, it };

describe.runIf(binaries)('on PostgreSQL', () => {
  let server: Postgres;
  const open: Database[] = [];
  const errors: unknown[] = [];
  const connect = async (more: Partial<PgDatabaseOptions> = {}): Promise<Database> => {
    const { host, port, user } = server;
    const database = await pgDatabase({
      host,
      port,
      user,
      database: more.database ?? (await server.createDatabase()),
      onError: (error) => errors.push(error),
      ...more,
    });
    open.push(database);
    return database;
  };

  beforeAll(async () => {
    server = await startPostgres(binaries!);
  }, 30_000);
  afterAll(async () => {
    await Promise.all(open.map((database) => database[Symbol.asyncDispose]()));
    await server[Symbol.asyncDispose]();
  }, 30_000);

  databaseSuite(runner, () => connect());
  storesSuite(runner, () => connect());
  describe('with prepared statements', () => {
    storesSuite(runner, () => connect({ prepareStatements: true }));
  });

  it('is migrated by two control planes that start at once on one database', async () => {
    const name = await server.createDatabase();
    const [one, two] = [await connect({ database: name }), await connect({ database: name })];
    const applied = await Promise.all([migrate(one), migrate(two)]);
    expect(applied.flat().sort()).toEqual(MIGRATIONS.map(({ version }) => version));
  });

  it('prepares statements when it is told to, a bounded number of them', async () => {
    const database = await connect({ prepareStatements: true, maxConnections: 1 });
    for (let round = 0; round < 2; round++)
      for (let at = 0; at < 250; at++)
        expect((await database.query(`select $1::int + ${at} as sum`, [1])).rows).toEqual([{ sum: at + 1 }]);
    const { rows } = await database.query('select count(*) as prepared from pg_prepared_statements');
    expect(rows).toEqual([{ prepared: 200 }]);
  });

  it('gives up a statement past its time, alone and in a transaction, and goes on', async () => {
    const database = await connect({ statementTimeoutMs: 300, maxConnections: 1 });
    await expect(database.query('select pg_sleep(5)')).rejects.toMatchObject({
      code: 'timeout',
      shouldRetry: true,
    });
    await expect(database.transaction((tx) => tx.query('select pg_sleep(5)'))).rejects.toMatchObject({
      code: 'timeout',
    });
    expect((await database.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  });

  it('lets a migration take longer than a statement may, and only that', async () => {
    const database = await connect({ statementTimeoutMs: 300, maxConnections: 1 });
    expect(await migrate(database, [{ version: 'slow', sql: 'select pg_sleep(1);' }])).toEqual(['slow']);
    await expect(database.transaction((tx) => tx.query('select pg_sleep(5)'))).rejects.toMatchObject({
      code: 'timeout',
    });
  });

  it('leaves no setting behind on a connection', async () => {
    const database = await connect({ maxConnections: 1 });
    await database.transaction((tx) => tx.query('select 1'));
    const { rows } = await database.query(`select current_setting('statement_timeout') as limit`);
    expect(rows).toEqual([{ limit: '0' }]);
  });

  it('says unavailable while the server is away, and works again when it is back', async () => {
    const database = await connect({ connectTimeoutMs: 2_000 });
    await database.query('select 1');
    const cut = database.transaction(async (tx) => {
      await tx.query('select 1');
      await server.crash();
      await tx.query('select 1');
    });
    await expect(cut).rejects.toMatchObject({ code: 'unavailable', shouldRetry: true });
    await expect(database.query('select 1')).rejects.toMatchObject({ code: 'unavailable' });
    await server.start();
    expect((await database.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    expect(errors.every((error) => error instanceof Error)).toBe(true);
  }, 20_000);

  it('refuses calls once it is closed', async () => {
    const database = await connect();
    await database[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
    await expect(database.query('select 1')).rejects.toMatchObject({ code: 'closed' });
  });
});
