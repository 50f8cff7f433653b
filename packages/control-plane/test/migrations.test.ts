import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../src/index.js';
import { pgDatabase } from '../src/pg/index.js';
import { pgliteDatabase } from '../src/pglite/index.js';
import { hashToken } from '../src/auth/secrets.js';
import { migrate } from '../src/stores/migrate.js';
import { MIGRATIONS } from '../src/stores/migrations/index.js';
import { createStores } from '../src/stores/stores.js';
import { storesSuite } from '../src/testing/index.js';
import { alteredDumpsTests } from './support/altered-dumps.js';
import { DUMPS, loadDump, tablesOf, type Dump } from './support/dumps.js';
import { checkMigrated } from './support/migrated.js';
import { requirePostgres, startPostgres, type Postgres } from '../../../tests/servers/postgres.js';

const binaries = await requirePostgres();
const runner = { describe, it };

/** The tests on one kind of server; `open` gives an empty database. */
function migrationTests(open: () => Promise<Database>): void {
  let freshColumns: Map<string, string[]> | undefined;
  /** Columns of what an empty database becomes, by table. */
  const fresh = async (): Promise<Map<string, string[]>> => {
    if (!freshColumns) {
      const database = await open();
      await migrate(database);
      freshColumns = new Map([...(await tablesOf(database))].map(([name, { columns }]) => [name, columns]));
    }
    return freshColumns;
  };
  const migrated = async (dump: Dump) => {
    const database = await open();
    await loadDump(database, dump);
    const before = await tablesOf(database);
    await migrate(database);
    return { database, before };
  };

  it.each(DUMPS)(
    'keeps every table, column and row of %s, adds ours, and does no more the second time',
    async (dump) => {
      const { database, before } = await migrated(dump);
      const after = await tablesOf(database);
      for (const [name, { columns, count }] of before) {
        const now = after.get(after.has(`v1_${name}`) ? `v1_${name}` : name);
        expect(now, `table ${name}`).toBeDefined();
        if (name === 'users' || name === 'schema_migrations')
          expect(now!.count, name).toBeGreaterThanOrEqual(count);
        else expect(now!.count, name).toBe(count);
        expect(now!.columns, name).toEqual(expect.arrayContaining(columns));
      }
      for (const [name, columns] of await fresh())
        expect(after.get(name)?.columns, name).toEqual(expect.arrayContaining(columns));
      await checkMigrated(database, dump);
      const sessions = async () =>
        (await database.query('select to_jsonb(s) as session from sessions s order by id')).rows;
      const once = await sessions();
      expect(await migrate(database)).toEqual([]);
      expect(await sessions()).toEqual(once);
    },
  );

  it('does nothing to a database whose list of migrations was lost with a restored backup', async () => {
    const { database } = await migrated('v1-uuid');
    await database.query(`delete from schema_migrations where version > '0001_first'`);
    expect(await migrate(database)).toEqual(MIGRATIONS.slice(2).map(({ version }) => version));
  });

  it('sends no command about a session of before, and lets nobody hibernate it', async () => {
    const { database } = await migrated('guides-004');
    const { sessions } = createStores({
      database,
      podName: 'x',
      commandTimeoutMs: 1_000,
      staleAfterMs: 1_000,
    });
    const id = '11111111-0000-4000-8000-000000000001';
    await expect(sessions.hibernate(id)).rejects.toMatchObject({ code: 'session_state' });
    expect(await sessions.heldBy('k8s-one', [])).toEqual([]);
    expect(await sessions.stop(id)).toMatchObject({ state: 'terminated' });
    const { rows } = await database.query(`select count(*) from agent_commands where status = 'pending'`);
    expect(rows).toEqual([{ count: 0 }]);
  });

  it('takes agents and commands over where there are no sessions', async () => {
    const database = await open();
    await loadDump(database, 'guides-004-strings');
    await database.script('drop table sessions');
    await migrate(database);
    const { rows } = await database.query(
      'select status, session_id from agent_commands order by command_id',
    );
    expect(rows).toEqual([
      { status: 'completed', session_id: 'sess-1' },
      { status: 'failed', session_id: 'sess-deleted' },
    ]);
  });

  it('refuses a table of sessions that is somebody else’s, and leaves all as it was', async () => {
    const database = await open();
    await database.script('create table sessions (sid text primary key, payload text)');
    await expect(migrate(database)).rejects.toThrow(/is not of StreamSpace/);
    expect([...(await tablesOf(database)).keys()]).toEqual(['schema_migrations', 'sessions']);
  });

  it('leaves nothing half done when a step fails', async () => {
    const database = await open();
    await loadDump(database, 'v1-uuid');
    await database.script('create view running as select id from sessions');
    const before = await tablesOf(database);
    await expect(migrate(database)).rejects.toThrow(/view/);
    const after = await tablesOf(database);
    after.delete('schema_migrations');
    expect(after).toEqual(before);
    const { rows } = await database.query(
      `select count(*) from pg_proc where proname like 'streamspace_v1_%'`,
    );
    expect(rows).toEqual([{ count: 0 }]);
    await database.script('drop view running');
    expect(await migrate(database)).toEqual([
      '0000_from_v1',
      ...MIGRATIONS.slice(2).map((one) => one.version),
    ]);
  });

  it('lets the set-up link make the administrator of before able to log in, and nobody who already is', async () => {
    const { database } = await migrated('v1-strings');
    const stores = createStores({ database, podName: 'x', commandTimeoutMs: 1_000, staleAfterMs: 1_000 });
    const [token, other] = [hashToken('a token'), hashToken('another')];
    expect(await stores.setup.replaceToken(token, 60_000)).toBe(true);
    const before = await stores.users.findByName('admin');
    const admin = await stores.setup.createAdmin(token, { username: 'Admin', passwordHash: '$argon2id$…' });
    expect(admin).toMatchObject({ id: before?.id, role: 'admin' });
    expect(await stores.users.hasAdmin()).toBe(true);
    expect(await stores.setup.replaceToken(other, 60_000)).toBe(false);
    await database.query(`update users set role = 'user' where id = $1`, [before?.id]);
    await stores.setup.replaceToken(other, 60_000);
    await expect(
      stores.setup.createAdmin(other, { username: 'admin', passwordHash: '$argon2id$…' }),
    ).rejects.toMatchObject({ code: 'user_exists' });
  });

  it('keeps both versions’ columns alike while both are in use', async () => {
    const { database } = await migrated('v1-strings');
    const read = async (id: string) =>
      (
        await database.query('select status, state, template, desired_state from sessions where id = $1', [
          id,
        ])
      ).rows[0];
    await database.query(`update sessions set state = 'terminating' where id = 'sess-123'`);
    expect(await read('sess-123')).toMatchObject({ status: 'terminating', state: 'terminating' });
    await database.query(`update sessions set status = 'stopped' where id = 'sess-123'`);
    expect(await read('sess-123')).toMatchObject({ status: 'stopped', state: 'terminated' });
    await database.query(`update sessions set status = 'something new' where id = 'sess-123'`);
    expect(await read('sess-123')).toMatchObject({ status: 'something new', state: 'terminated' });
    await database.query(
      `insert into sessions (id, user_id, template_name, status)
       select 'sess-new', id, 'firefox', 'running' from users where username = 'admin'`,
    );
    expect(await read('sess-new')).toEqual({
      status: 'running',
      state: 'running',
      template: 'firefox',
      desired_state: 'external',
    });
    await database.query(
      `insert into sessions (id, user_id, template, manifest, state, desired_state, platform, request_hash)
       select 'desk-new', id, 'desk', '{}', 'pending', 'running', 'docker', '\\x01' from users where username = 'admin'`,
    );
    const { rows } = await database.query(`select status, template_name from sessions where id = 'desk-new'`);
    expect(rows).toEqual([{ status: 'pending', template_name: 'desk' }]);
    const told = await database.query(
      `select kind, message from session_events where session_id = 'sess-123' order by id`,
    );
    expect(told.rows).toEqual([
      { kind: 'state', message: 'The session is stopped.' },
      { kind: 'state', message: 'The session has ended.' },
    ]);
    await expect(
      database.query(
        `insert into sessions (id, user_id, template_name, created_at)
         select 'Not_A_Label', id, 'x', now() + interval '1 hour' from users where username = 'admin'`,
      ),
    ).rejects.toMatchObject({ code: 'constraint', constraint: 'sessions_id_check' });
  });
}

describe.runIf(binaries)('migrating on PostgreSQL', () => {
  let server: Postgres;
  const databases: Database[] = [];
  const connect = async (name: string): Promise<Database> => {
    const { host, port, user } = server;
    const database = await pgDatabase({ host, port, user, database: name, maxConnections: 4 });
    databases.push(database);
    return database;
  };
  const open = async (): Promise<Database> => connect(await server.createDatabase());

  beforeAll(async () => {
    server = await startPostgres(binaries!);
  }, 30_000);
  afterAll(async () => {
    await Promise.all(databases.map((database) => database[Symbol.asyncDispose]()));
    await server[Symbol.asyncDispose]();
  }, 30_000);

  migrationTests(open);
  describe('what somebody changed before', () => {
    alteredDumpsTests(open);
  });

  it.each(DUMPS)('is done once to %s, by any number of migrators at once', async (dump) => {
    const name = await server.createDatabase();
    await loadDump(await connect(name), dump);
    const many = await Promise.all(Array.from({ length: 4 }, () => connect(name)));
    const applied = (await Promise.all(many.map((database) => migrate(database)))).flat().sort();
    const expected = MIGRATIONS.map((one) => one.version).filter((version) => version !== '0001_first');
    expect(applied).toEqual(expected);
  });

  for (const dump of DUMPS)
    describe(`the stores on what was ${dump}`, () => {
      storesSuite(runner, async () => {
        const database = await open();
        await loadDump(database, dump);
        await migrate(database);
        // The suite sets an installation up.
        await database.query(`update users set role = 'user'`);
        return database;
      });
    });
});

describe('migrating on PGlite', () => {
  let database: Database;
  beforeAll(async () => {
    database = await pgliteDatabase({ memory: true });
  }, 30_000);
  afterAll(() => database[Symbol.asyncDispose]());

  const empty = async (): Promise<void> => {
    await database.script('drop schema public cascade; create schema public');
  };
  it.each(DUMPS)('gives %s what is promised, with the values that were there, twice', async (dump) => {
    await empty();
    await loadDump(database, dump);
    const before = await tablesOf(database);
    await migrate(database);
    expect(await migrate(database)).toEqual([]);
    await checkMigrated(database, dump);
    const after = await tablesOf(database);
    for (const [name, { count }] of before)
      expect(after.get(after.has(`v1_${name}`) ? `v1_${name}` : name)!.count, name).toBeGreaterThanOrEqual(
        count,
      );
  });

  describe('the stores on what was v1-strings', () => {
    storesSuite(runner, async () => {
      await empty();
      await loadDump(database, 'v1-strings');
      await migrate(database);
      await database.query(`update users set role = 'user'`);
      return database;
    });
  });
});
