import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pgDatabase, type PgDatabaseOptions } from '../src/pg/index.js';
import type { Database } from '../src/index.js';
import { migrate } from '../src/stores/migrate.js';
import { databaseSuite, storesSuite } from '../src/testing/index.js';
import { requirePgBouncer, startPgBouncer, type PgBouncer } from '../../../tests/servers/pgbouncer.js';
import { requirePostgres, startPostgres, type Postgres } from '../../../tests/servers/postgres.js';

const binaries = await requirePostgres();
const program = requirePgBouncer();
const runner = { describe, it };

describe.runIf(binaries && program)('through PgBouncer in transaction mode', () => {
  let server: Postgres;
  let bouncer: PgBouncer;
  const open: Database[] = [];
  const connect = async (more: Partial<PgDatabaseOptions> = {}): Promise<Database> => {
    const { host, port, user } = bouncer;
    const name = more.database ?? (await server.createDatabase());
    const database = await pgDatabase({ host, port, user, ...more, database: name });
    open.push(database);
    return database;
  };

  beforeAll(async () => {
    server = await startPostgres(binaries!);
    bouncer = await startPgBouncer(program!, server);
  }, 30_000);
  afterAll(async () => {
    await Promise.all(open.map((database) => database[Symbol.asyncDispose]()));
    await bouncer[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  }, 30_000);

  databaseSuite(runner, () => connect());
  storesSuite(runner, () => connect());

  it('is migrated by many control planes that start at once', async () => {
    const name = await server.createDatabase();
    const many = await Promise.all(Array.from({ length: 6 }, () => connect({ database: name })));
    const applied = (await Promise.all(many.map((database) => migrate(database)))).flat();
    expect(new Set(applied).size).toBe(applied.length);
  });

  it('keeps two clients apart whose transactions take turns on the same server connections', async () => {
    const name = await server.createDatabase();
    const [one, two] = [await connect({ database: name }), await connect({ database: name })];
    await one.query('create table turns (who text, n int4)');
    const work = (database: Database, who: string) =>
      Array.from({ length: 20 }, (_, n) =>
        database.transaction(async (tx) => {
          await tx.query('select pg_advisory_xact_lock(7)');
          await tx.query('insert into turns values ($1, $2)', [who, n]);
        }),
      );
    await Promise.all([...work(one, 'one'), ...work(two, 'two')]);
    const { rows } = await one.query('select who, count(*) from turns group by who order by who');
    expect(rows).toEqual([
      { who: 'one', count: 20 },
      { who: 'two', count: 20 },
    ]);
  });

  it('finds no setting, lock, prepared statement, cursor or temporary table that a client left behind', async () => {
    const name = await server.createDatabase();
    const database = await connect({ database: name, maxConnections: 8 });
    await migrate(database);
    await Promise.allSettled(
      Array.from({ length: 16 }, (_, n) =>
        database.transaction(async (tx) => {
          await tx.query('select $1::int4', [n]);
          if (n % 3 === 0) throw new Error('rolled back');
        }),
      ),
    );
    const left = await Promise.all(
      Array.from({ length: 8 }, () =>
        database.query(
          `select current_setting('statement_timeout') || current_setting('lock_timeout') as limits,
                  (select count(*) from pg_locks where locktype = 'advisory') as locks,
                  (select count(*) from pg_prepared_statements where name <> '') as statements,
                  (select count(*) from pg_cursors where name <> '') as cursors,
                  (select count(*) from pg_class where relpersistence = 't') as tables`,
        ),
      ),
    );
    for (const { rows } of left)
      expect(rows).toEqual([{ limits: '00', locks: 0, statements: 0, cursors: 0, tables: 0 }]);
  });
});
