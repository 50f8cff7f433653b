import { expect } from 'vitest';
import type { Database } from '../../src/index.js';
import { createStores } from '../../src/stores/stores.js';
import type { Dump } from './dumps.js';

/** What a migrated database must have, whatever it was, and the values that its dump had. */
export async function checkMigrated(database: Database, dump: Dump): Promise<void> {
  const rows = async (sql: string) => (await database.query(sql)).rows;
  const columnsOf = async (table: string) =>
    (
      await rows(
        `select attname::text as name from pg_attribute where attrelid = '${table}'::regclass and attnum > 0`,
      )
    ).map((row) => row['name']);
  expect(await columnsOf('sessions')).toEqual(
    expect.arrayContaining(['agent_id', 'platform', 'platform_metadata', 'cluster_id', 'tags', 'state']),
  );
  expect(await columnsOf('agents')).toEqual(expect.arrayContaining(['cluster_id', 'active_sessions']));
  expect(await columnsOf('agent_commands')).toEqual(
    expect.arrayContaining(['id', 'error_message', 'retry_count', 'acked_at']),
  );
  expect(
    await rows(`select version from schema_migrations where version like 'v2.0%' order by version`),
  ).toEqual([{ version: 'v2.0.0-agents' }, { version: 'v2.0.0-beta1-ha' }]);
  expect(
    await rows(
      `select table_name, column_name from information_schema.columns where table_schema = 'public'
          and data_type = 'timestamp without time zone' and table_name not in ('audit_log')`,
    ),
  ).toEqual([]);
  expect(
    await rows('select id from sessions where platform is null or tags is null or state is null'),
  ).toEqual([]);

  const stores = createStores({ database, podName: 'x', commandTimeoutMs: 1_000, staleAfterMs: 1_000 });
  const sessions = new Map(
    (await stores.sessions.list({ limit: 1_000 })).sessions.map((session) => [session.id, session]),
  );
  const states = Object.fromEntries([...sessions.values()].map(({ id, state }) => [id, state]));
  const v1 = { source: 'v1.x', controller: 'kubebuilder' };
  switch (dump) {
    case 'v1-strings': {
      expect(states).toEqual({
        'sess-123': 'running',
        Bo_Desktop_2: 'hibernated',
        'sess-gone': 'terminated',
        'sess-odd': 'failed',
        'sess-ownerless': 'pending',
      });
      expect(sessions.get('sess-odd')?.error).toEqual({
        code: 'v1_state_unknown',
        message: 'The version before kept it as lost.',
      });
      expect(sessions.get('sess-123')).toMatchObject({
        user: 'admin',
        template: 'firefox',
        platform: 'kubernetes',
      });
      expect(sessions.get('sess-123')?.createdAt).toEqual(new Date('2025-02-01T10:00:00Z'));
      expect(sessions.get('sess-ownerless')?.user).toBe('v1-unknown');
      expect(
        await rows(
          `select id, status, platform_metadata, url from sessions where id in ('sess-odd', 'sess-123') order by id`,
        ),
      ).toEqual([
        { id: 'sess-123', status: 'running', platform_metadata: v1, url: 'http://10.42.1.5:3000' },
        { id: 'sess-odd', status: 'lost', platform_metadata: v1, url: null },
      ]);
      expect(
        await rows(
          `select s.session_id, u.v1_id from session_shares s join users u on u.id = s.shared_with order by s.id`,
        ),
      ).toEqual([
        { session_id: 'sess-123', v1_id: 'user-3' },
        { session_id: 'Bo_Desktop_2', v1_id: 'admin' },
      ]);
      const names = (await rows(
        `select username, role from users where v1_id is not null order by email`,
      )) as {
        username: string;
        role: string;
      }[];
      expect(names.map(({ role }) => role)).toEqual(['admin', 'operator', 'user']);
      expect(new Set(names.map(({ username }) => username.toLowerCase())).size).toBe(3);
      // His password is hashed in a way of before: he cannot log in, and the set-up link makes him able to.
      expect(await stores.users.hasAdmin()).toBe(false);
      expect(await stores.users.findByName('admin')).toMatchObject({
        role: 'admin',
        passwordHash: undefined,
      });
      expect((await stores.users.findByName('bo'))?.role).toBe('user');
      return;
    }
    case 'v1-uuid':
      expect(Object.values(states).sort()).toEqual(['failed', 'running', 'terminated']);
      expect(await rows('select s.state from snapshots n join sessions s on s.id = n.session_id')).toEqual([
        { state: 'running' },
      ]);
      expect(await rows('select distinct platform_metadata from sessions')).toEqual([
        { platform_metadata: v1 },
      ]);
      return;
    case 'guides-000':
    case 'guides-004': {
      const first = sessions.get('11111111-0000-4000-8000-000000000001');
      expect(first).toMatchObject({ state: 'running', agentId: 'k8s-one', template: 'firefox' });
      expect(await rows("select status from sessions where id like '%1'")).toEqual([{ status: 'running' }]);
      const [agent] = await rows(
        `select status, capacity, websocket_conn_id from agents where agent_id = 'k8s-one'`,
      );
      expect(agent).toMatchObject({
        status: 'offline',
        websocket_conn_id: null,
        capacity: { max_sessions: 100 },
      });
      expect(
        await rows(`select count(*) from agent_commands where status not in ('completed', 'failed')`),
      ).toEqual([{ count: 0 }]);
      const retries = await rows('select distinct retry_count from agent_commands');
      expect(retries).toEqual([{ retry_count: 0 }]);
      if (dump === 'guides-004')
        expect(await rows(`select tags from sessions order by id`)).toEqual([
          { tags: ['blue'] },
          { tags: [] },
        ]);
      else
        expect(await rows(`select platform, platform_metadata from sessions order by id`)).toEqual([
          { platform: 'docker', platform_metadata: { container: 'c1' } },
          { platform: 'kubernetes', platform_metadata: v1 },
        ]);
      return;
    }
    case 'guides-004-strings':
      expect(states).toEqual({ 'sess-1': 'running', 'sess-2': 'hibernated' });
      expect(sessions.get('sess-1')).toMatchObject({ user: 'ann', agentId: 'k8s-one', template: 'firefox' });
      expect(await rows('select tags, v1_agent_id from sessions order by id')).toEqual([
        { tags: ['red', 'blue'], v1_agent_id: 'k8s-one' },
        { tags: [], v1_agent_id: 'gone' },
      ]);
      expect(
        await rows('select command_type, command_data, status from agent_commands order by command_id'),
      ).toEqual([
        { command_type: 'start_session', command_data: { image: 'x' }, status: 'completed' },
        { command_type: 'stop_session', command_data: {}, status: 'failed' },
      ]);
      return;
    case 'release-0001':
      expect(sessions.get('desk-one')).toMatchObject({ state: 'running', agentId: 'desk-1', generation: 1 });
      expect(await rows('select command_id, status, id is not null as has_id from agent_commands')).toEqual([
        { command_id: 'cmd-1', status: 'completed', has_id: true },
      ]);
  }
}
