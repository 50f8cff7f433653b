import assert from 'node:assert/strict';
import type { TestRunner } from '@streamspace/hub/testing';
import type { Database, Queryable } from '../stores/database.js';
import { isDatabaseError, type DatabaseErrorCode } from '../stores/database-error.js';
import { migrate } from '../stores/migrate.js';

const failsWith =
  (code: DatabaseErrorCode) =>
  (error: unknown): boolean => {
    assert.ok(isDatabaseError(error), `expected a DatabaseError, got ${String(error)}`);
    assert.equal(error.code, code, error.message);
    return true;
  };

/**
 * What every `Database` has to do. `open` gives one that the suite may write to; it is opened once and left to the
 * caller. It works in the tables `suite_items` and those of the migrations.
 */
export function databaseSuite({ describe, it }: TestRunner, open: () => Promise<Database>): void {
  let opened: Promise<Database> | undefined;
  const setUp = async (): Promise<Database> => {
    opened ??= open();
    const database = await opened;
    await database.script(
      'drop table if exists suite_items; create table suite_items (name text primary key, amount int8, parent text references suite_items)',
    );
    return database;
  };
  const names = async (on: Queryable): Promise<unknown[]> =>
    (await on.query('select name from suite_items order by name')).rows.map((row) => row['name']);

  describe('a database', () => {
    it('returns values in the same types everywhere', async () => {
      const database = await setUp();
      const at = new Date('2026-01-02T03:04:05.678Z');
      const { rows } = await database.query(
        `select 5::int8 as small, 9007199254740993::int8 as large, 7::int4 as int4, 1.5::float8 as float8, true as flag,
                $1::text as text, $2::timestamptz as at, $3::bytea as bytes, $4::jsonb as json, null as nothing,
                array['a', 'b,c']::text[] as texts, count(*) as count from generate_series(1, 3)`,
        ['x', at, new Uint8Array([0, 1, 255]), JSON.stringify({ list: [1, { deep: null }] })],
      );
      assert.deepEqual(rows, [
        {
          small: 5,
          large: 9007199254740993n,
          int4: 7,
          float8: 1.5,
          flag: true,
          text: 'x',
          at,
          bytes: new Uint8Array([0, 1, 255]),
          json: { list: [1, { deep: null }] },
          nothing: null,
          texts: ['a', 'b,c'],
          count: 3,
        },
      ]);
    });

    it('takes undefined as null, lists as arrays, and jsonb lists as text', async () => {
      const database = await setUp();
      const { rows } = await database.query(
        `select $1::text as nothing, $2::text[] as texts, $3::jsonb as list, $4::int8 as number, $5::boolean as flag`,
        [undefined, ['a', 'b"c'], JSON.stringify(['a', 1]), 12, false],
      );
      assert.deepEqual(rows, [
        { nothing: null, texts: ['a', 'b"c'], list: ['a', 1], number: 12, flag: false },
      ]);
    });

    it('says how many rows a statement touched', async () => {
      const database = await setUp();
      assert.equal((await database.query(`insert into suite_items values ('a', 1), ('b', 2)`)).rowCount, 2);
      assert.equal((await database.query(`update suite_items set amount = 3 where name = 'b'`)).rowCount, 1);
      assert.equal((await database.query(`delete from suite_items where name = 'c'`)).rowCount, 0);
    });

    it('keeps what a transaction did, all of it', async () => {
      const database = await setUp();
      const result = await database.transaction(async (tx) => {
        await tx.query(`insert into suite_items values ('a', 1)`);
        await tx.query(`insert into suite_items values ('b', 2)`);
        return 'done';
      });
      assert.equal(result, 'done');
      assert.deepEqual(await names(database), ['a', 'b']);
    });

    it('keeps nothing of a transaction that rejects, and rejects with the same error', async () => {
      const database = await setUp();
      const error = new Error('changed my mind');
      await assert.rejects(
        database.transaction(async (tx) => {
          await tx.query(`insert into suite_items values ('a', 1)`);
          throw error;
        }),
        (thrown) => thrown === error,
      );
      assert.deepEqual(await names(database), []);
    });

    it('keeps nothing of a transaction in which a statement failed, even when that was swallowed', async () => {
      const database = await setUp();
      await assert.rejects(
        database.transaction(async (tx) => {
          await tx.query(`insert into suite_items values ('a', 1)`);
          await tx.query(`insert into suite_items values ('a', 2)`).catch(() => undefined);
        }),
        failsWith('constraint'),
      );
      assert.deepEqual(await names(database), []);
    });

    it('refuses the database itself inside a transaction', async () => {
      const database = await setUp();
      await assert.rejects(
        database.transaction(async () => {
          await database.query('select 1');
        }),
        failsWith('misuse'),
      );
      await assert.rejects(
        database.transaction(() => database.transaction(async () => undefined)),
        failsWith('misuse'),
      );
    });

    it('refuses a handle after its transaction', async () => {
      const database = await setUp();
      let kept: Queryable | undefined;
      await database.transaction(async (tx) => void (kept = tx));
      await assert.rejects(kept!.query('select 1'), failsWith('misuse'));
    });

    it('keeps transactions that run at once apart', async () => {
      const database = await setUp();
      await database.query(`insert into suite_items values ('a', 0)`);
      await Promise.all(
        Array.from({ length: 10 }, () =>
          database.transaction(async (tx) => {
            const { rows } = await tx.query<{ amount: number }>(
              `select amount from suite_items where name = 'a' for update`,
            );
            await tx.query(`update suite_items set amount = $1::int8 where name = 'a'`, [
              rows[0]!.amount + 1,
            ]);
          }),
        ),
      );
      assert.deepEqual((await database.query('select amount from suite_items')).rows, [{ amount: 10 }]);
    });

    it('names a violated constraint', async () => {
      const database = await setUp();
      await database.query(`insert into suite_items values ('a', 1)`);
      await assert.rejects(database.query(`insert into suite_items values ('a', 1)`), (error: unknown) => {
        failsWith('constraint')(error);
        assert.equal((error as { constraint?: string }).constraint, 'suite_items_pkey');
        assert.equal((error as { shouldRetry: boolean }).shouldRetry, false);
        return true;
      });
      await assert.rejects(
        database.query(`insert into suite_items values ('b', 1, 'nobody')`),
        failsWith('constraint'),
      );
    });

    it('says that a malformed statement is nobody else’s fault, and goes on', async () => {
      const database = await setUp();
      await assert.rejects(database.query('selekt 1'), failsWith('internal'));
      await assert.rejects(
        database.transaction((tx) => tx.query('select * from no_such_table')),
        failsWith('internal'),
      );
      assert.deepEqual((await database.query('select 1 as one')).rows, [{ one: 1 }]);
    });

    it('is migrated by any number of migrators at once, each migration once', async () => {
      const database = await setUp();
      await database.script(
        'create schema if not exists suite_scratch; drop table if exists suite_scratch.made;' +
          `create table if not exists schema_migrations (version text primary key, applied_at timestamptz not null default now());` +
          `delete from schema_migrations where version like 'suite_%'`,
      );
      const migrations = [
        { version: 'suite_1', sql: 'create table suite_scratch.made (n int4);' },
        {
          version: 'suite_2',
          sql: 'insert into suite_scratch.made values (1); insert into suite_scratch.made values (2);',
        },
      ];
      const applied = await Promise.all(Array.from({ length: 5 }, () => migrate(database, migrations)));
      assert.deepEqual(applied.flat().sort(), ['suite_1', 'suite_2']);
      assert.deepEqual(await migrate(database, migrations), []);
      const { rows } = await database.query('select n from suite_scratch.made order by n');
      assert.deepEqual(rows, [{ n: 1 }, { n: 2 }]);
    });

    it('keeps nothing of a migration that fails', async () => {
      const database = await setUp();
      const broken = { version: 'suite_broken', sql: 'create table suite_half (n int4); selekt 1;' };
      await assert.rejects(migrate(database, [broken]), failsWith('internal'));
      const { rows } = await database.query(
        `select to_regclass('suite_half') is null as gone, (select count(*) from schema_migrations where version = 'suite_broken') as noted`,
      );
      assert.deepEqual(rows, [{ gone: true, noted: 0 }]);
    });
  });
}
