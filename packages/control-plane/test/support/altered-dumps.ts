import { expect, it } from 'vitest';
import type { Database, Row } from '../../src/index.js';
import { migrate } from '../../src/stores/migrate.js';
import { createStores } from '../../src/stores/stores.js';
import { loadDump, tablesOf, type Dump } from './dumps.js';

const ADMIN_ID = `md5('streamspace:admin')::uuid`;

/** Databases of before that somebody changed, or that others use as well. `open` gives an empty database. */
export function alteredDumpsTests(open: () => Promise<Database>): void {
  /** What a dump becomes when this was done to it before. */
  const migrated = async (dump: Dump | undefined, before: string) => {
    const database = await open();
    if (dump) await loadDump(database, dump);
    await database.script(before);
    await migrate(database);
    return async <R extends Row>(sql: string): Promise<R[]> => (await database.query<R>(sql)).rows;
  };
  /** Expects that the start is refused with these words, and that all is as it was. */
  const refuses = async (dump: Dump | undefined, before: string, words: RegExp) => {
    const database = await open();
    if (dump) await loadDump(database, dump);
    await database.script(before);
    const tables = await tablesOf(database);
    await expect(migrate(database)).rejects.toThrow(words);
    const after = await tablesOf(database);
    if (!tables.has('schema_migrations')) after.delete('schema_migrations');
    expect(after).toEqual(tables);
  };

  it.each([
    ['varchar(20)', `alter column id type varchar(20) using left(id::text, 20)`],
    ['varchar(255)', `alter column id type varchar(255) using id::text`],
    ['uuid', ''],
    ['bigint', `alter column id type bigint using length(id::text)`],
  ])('gives commands an id by itself where it was a %s without a default', async (_, change) => {
    const rows = await migrated(
      'guides-004',
      `alter table agent_commands drop constraint agent_commands_pkey, alter column id drop default;
       ${change && `alter table agent_commands ${change};`} alter table agent_commands add primary key (id)`,
    );
    const insert = (id: string) =>
      rows(`insert into agent_commands (command_id, agent_id, session_id, seq, generation, command_type, command_data, deadline)
            select '${id}', a.id, s.id, 100 + length('${id}'), 1, 'stop_session', '{}', now() from agents a, sessions s limit 1
            returning id is not null as has_id`);
    expect([...(await insert('one')), ...(await insert('another'))]).toEqual([
      { has_id: true },
      { has_id: true },
    ]);
  });

  it('makes the indexes that upserts rely on, whatever has their names already', async () => {
    const database = await open();
    await loadDump(database, 'guides-004-strings');
    await database.script(
      `create index users_username on users (role);
       alter table agent_commands drop constraint agent_commands_agent_id_fkey;
       alter table agents drop constraint agents_agent_id_key; create index agents_agent_id_key on agents (platform);
       create unique index agents_partly on agents (agent_id) where platform = 'kubernetes'`,
    );
    await migrate(database);
    const stores = createStores({ database, podName: 'x', commandTimeoutMs: 1_000, staleAfterMs: 1_000 });
    await stores.agents.setKeyHash('k8s-one', new Uint8Array([1]));
    await stores.agents.setKeyHash('k8s-one', new Uint8Array([2]));
    await database.query(
      `insert into users (username, password_hash, role) values ('ANN', '', 'user') on conflict (lower(username)) do nothing`,
    );
    expect((await database.query('select username from users')).rows).toEqual([{ username: 'ann' }]);
  });

  it('keeps the defaults of times, which are UTC from now on', async () => {
    const rows = await migrated(
      'v1-strings',
      `alter table sessions add column expires_at timestamp default now() + interval '30 days',
         add column since timestamp default '2025-01-01 00:00:00', add column never timestamp,
         add column made_at timestamp default timezone('utc', now())`,
    );
    await rows(`set time zone 'Asia/Tokyo'`);
    await rows(`insert into sessions (id, user_id) values ('desk-new', ${ADMIN_ID})`);
    expect(
      await rows(
        `select expires_at > now() + interval '29 days' as later, never,
                since = '2025-01-01T00:00:00Z' as is_utc, abs(extract(epoch from made_at - now())) < 60 as is_now
           from sessions where id = 'desk-new'`,
      ),
    ).toEqual([{ later: true, never: null, is_utc: true, is_now: true }]);
  });

  it.each([
    ['users', undefined, 'create table users (id serial primary key, name text, email text)'],
    ['users', undefined, 'create table users (id serial primary key, username text, password_hash text)'],
    ['users', 'v1-uuid', 'create table users (id uuid primary key, email text, plan text)'],
    ['agents', 'v1-uuid', 'create table agents (id serial primary key, name text, phone text)'],
    [
      'agent_commands',
      'v1-uuid',
      'create table agent_commands (id uuid primary key, agent_id uuid, line text)',
    ],
    ['platform_controllers', 'v1-uuid', 'create table platform_controllers (id uuid primary key)'],
  ] as const)('refuses a table %s that is somebody else’s (%s, %s)', async (table, dump, sql) => {
    await refuses(dump, sql, new RegExp(`The table ${table} in this database is not of StreamSpace`));
  });

  it('finds the owner by the name that stands beside the id or in its place', async () => {
    const rows = await migrated(
      'v1-strings',
      `alter table sessions drop constraint sessions_user_id_fkey; alter table sessions add column "user" text;
       insert into sessions (id, user_id, template_name, "user") values
         ('by-id', 'user-3', 'x', 'admin'), ('by-name', null, 'x', 'admin'), ('by-letters', 'Bo', 'x', null),
         ('by-letters-2', 'bo', 'x', null), ('whatever-case', 'ADMIN', 'x', null), ('beside', 'no-such-id', 'x', 'bo'),
         ('gone', 'left-long-ago', 'x', null), ('gone-2', 'Left-Long-Ago', 'x', null)`,
    );
    const owners = await rows<{ id: string; owner: string }>(
      `select s.id, coalesce(u.v1_id, lower(left(u.username, 13))) as owner from sessions s join users u on u.id = s.user_id
        where template_name = 'x' and status = 'pending'`,
    );
    expect(Object.fromEntries(owners.map(({ id, owner }) => [id, owner]))).toEqual({
      'by-id': 'user-3',
      'by-name': 'admin',
      'by-letters': 'user-3',
      'by-letters-2': '6a4f6f1e-0000-4000-8000-000000000001',
      'whatever-case': 'admin',
      beside: '6a4f6f1e-0000-4000-8000-000000000001',
      gone: 'left-long-ago',
      'gone-2': 'left-long-ago',
    });
  });

  it('leaves the administrator his name, then the one who was there first', async () => {
    const rows = await migrated(
      'v1-strings',
      `insert into users (id, username, email, full_name, role, created_at) values
         ('0', 'Ann', 'a', '', 'user', '2024-01-01'), ('z', 'ann', 'b', '', 'admin', '2025-01-01'),
         ('0y', 'Cy', 'c', '', 'user', '2025-01-02'), ('y', 'cy', 'd', '', 'user', '2025-01-01')`,
    );
    expect(
      await rows(
        `select v1_id, username from users where username in ('Ann', 'ann', 'Cy', 'cy', 'Bo', 'bo') order by 2`,
      ),
    ).toEqual([
      { v1_id: 'z', username: 'ann' },
      { v1_id: '6a4f6f1e-0000-4000-8000-000000000001', username: 'bo' },
      { v1_id: 'y', username: 'cy' },
    ]);
  });

  it('fires no trigger of the tables, and leaves each as it was', async () => {
    const rows = await migrated(
      'guides-004',
      `create function touch() returns trigger language plpgsql as $$ begin new.updated_at = now(); return new; end $$;
       create function fail() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
       update sessions set updated_at = '2025-03-01'; alter table agents disable trigger user; update agents set updated_at = '2025-03-01';
       alter table agents enable trigger user;
       create trigger touch before update on sessions for each row execute function touch();
       create trigger off before update on sessions for each row execute function fail();
       alter table sessions disable trigger off;
       create trigger fail before update on agent_commands for each row execute function fail()`,
    );
    expect(
      await rows(
        `select distinct updated_at from (select updated_at from sessions union all select updated_at from agents) t`,
      ),
    ).toEqual([{ updated_at: new Date('2025-03-01T00:00:00Z') }]);
    expect(
      await rows(
        `select tgname::text as name, tgenabled::text as state from pg_trigger
          where tgname in ('touch', 'off', 'fail', 'trigger_agents_updated_at') order by 1`,
      ),
    ).toEqual([
      { name: 'fail', state: 'O' },
      { name: 'off', state: 'D' },
      { name: 'touch', state: 'O' },
      { name: 'trigger_agents_updated_at', state: 'O' },
    ]);
  });

  it('lets columns be that hold what we write: triggers, policies and generated columns may mention them', async () => {
    const rows = await migrated(
      'v1-strings',
      `alter table users add column handle text generated always as (lower(username)) stored;
       create function nothing() returns trigger language plpgsql as $$ begin return new; end $$;
       create trigger nothing before update of status on sessions for each row execute function nothing();
       alter table sessions enable row level security;
       create policy visible on sessions using (id <> '' and status <> 'secret' and template_name <> '')`,
    );
    expect(await rows(`select handle from users where v1_id = 'admin'`)).toEqual([{ handle: 'admin' }]);
    expect(await rows(`select count(*) from sessions`)).toEqual([{ count: 5 }]);
  });

  it('widens a column that is too short for what we write', async () => {
    const rows = await migrated('v1-uuid', 'alter table sessions alter column status type varchar(10)');
    await rows(`update sessions set state = 'terminating' where state = 'running'`);
    expect(await rows(`select state from sessions where status = 'terminating'`)).toHaveLength(1);
  });

  it.each(['bigint', 'varchar(14)'])(
    'keeps its list beside a schema_migrations of another program, with a version that is a %s',
    async (type) => {
      const before = `create table schema_migrations (version ${type} primary key, dirty boolean not null);
        insert into schema_migrations values ('17', false)`;
      for (const dump of ['v1-strings', undefined] as const) {
        const database = await open();
        if (dump) await loadDump(database, dump);
        await database.script(before);
        expect(await migrate(database)).toContain('0002_names');
        expect(await migrate(database)).toEqual([]);
        const { rows } = await database.query(
          `select (select jsonb_agg(to_jsonb(m)) from schema_migrations m)->0->'dirty' as theirs,
                  count(*) filter (where version like 'v2.0%') as ours from streamspace_migrations`,
        );
        expect(rows).toEqual([{ theirs: false, ours: 2 }]);
      }
    },
  );

  it('chooses another name where v1_templates is taken', async () => {
    const rows = await migrated('v1-strings', 'create table v1_templates (n int)');
    expect(await rows('select label from v1_templates_2')).toEqual([{ label: 'an old one' }]);
    expect(await rows('select n from v1_templates')).toEqual([]);
  });

  it('names what is there twice and must not be, and changes nothing', async () => {
    await refuses(
      'guides-000',
      `alter table agents drop constraint agents_agent_id_key;
       insert into agents (agent_id, platform) values ('twin', 'docker'), ('twin', 'docker')`,
      /migration 0000_from_v1: The table agents has rows with the same agent_id: twin\./,
    );
    await refuses(
      'guides-004-strings',
      `alter table agent_commands drop constraint agent_commands_command_id_key;
       insert into agent_commands (command_id, agent_id, action) values ('cmd-1', 'k8s-one', 'stop_session')`,
      /agent_commands has rows with the same command_id: cmd-1\./,
    );
  });

  it('says what the server adds to its message', async () => {
    await refuses(
      'v1-uuid',
      'create view v as select id from sessions',
      /view or rule \(rule .* on view v depends on/,
    );
  });

  describeGuide(migrated);
}

/** What the guide says about programs of version 1 that go on running. */
function describeGuide(
  migrated: (dump: Dump, before: string) => Promise<<R extends Row>(sql: string) => Promise<R[]>>,
): void {
  it('lets programs of version 1 read states, templates and joins, and find users by their ids of before', async () => {
    const rows = await migrated('v1-strings', '');
    expect(
      await rows(
        `select s.id, s.status, s.template_name, u.username from sessions s join users u on u.id = s.user_id
          where u.v1_id = 'admin' and s.status = 'running'`,
      ),
    ).toEqual([{ id: 'sess-123', status: 'running', template_name: 'firefox', username: 'admin' }]);
    await expect(rows(`select id from sessions where user_id = 'admin'`)).rejects.toMatchObject({
      code: 'invalid_value',
    });
  });

  it('takes new sessions of version 1 whose owner is a UUID that is known, and whose id is a DNS label', async () => {
    const rows = await migrated('v1-strings', '');
    await rows(
      `insert into sessions (id, user_id, template_name, status)
       values ('sess-new', (select id from users where v1_id = 'admin'), 'firefox', 'running')`,
    );
    expect(await rows(`select state from sessions where user_id = ${ADMIN_ID} and id = 'sess-new'`)).toEqual([
      { state: 'running' },
    ]);
    const insert = (owner: string) =>
      rows(`insert into sessions (id, user_id, template_name) values ('sess-x', ${owner}, 'firefox')`);
    await expect(insert(`'admin'`)).rejects.toMatchObject({ code: 'invalid_value' });
    await expect(insert('gen_random_uuid()')).rejects.toMatchObject({ code: 'constraint' });
    // Those of before are updated and deleted whatever their ids are.
    await rows(`update sessions set status = 'stopped' where id = 'Bo_Desktop_2'`);
    await rows(`delete from session_shares`);
    await rows(`delete from sessions where id = 'Bo_Desktop_2'`);
    await expect(rows(`insert into users (id, username) values ('eve', 'eve')`)).rejects.toMatchObject({
      code: 'invalid_value',
    });
    await rows(`insert into users (username, email, full_name) values ('eve', 'eve@desk.example', 'Eve')`);
  });

  it('compares ids of sessions that were UUIDs with texts only', async () => {
    const rows = await migrated('v1-uuid', '');
    const id = '11111111-0000-4000-8000-000000000001';
    expect(await rows(`select status from sessions where id = '${id}'`)).toEqual([{ status: 'running' }]);
    await expect(rows(`select status from sessions where id = '${id}'::uuid`)).rejects.toThrow(/operator/);
  });
}
