import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../src/index.js';
import { pgDatabase } from '../src/pg/index.js';
import { migrate } from '../src/stores/migrate.js';
import { listSessions } from '../src/stores/sessions-list.js';
import { requirePostgres, startPostgres, type Postgres } from '../../../tests/servers/postgres.js';

const binaries = await requirePostgres();

const USERS = 10;
const SESSIONS = 10_000;
const LIMIT = 20;

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly PlanNode[];
}

const nodesOf = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)];

describe.runIf(binaries)('a page of 10 000 sessions on PostgreSQL', () => {
  let server: Postgres;
  let database: Database;
  let userId: string;
  beforeAll(async () => {
    server = await startPostgres(binaries!);
    const { host, port, user } = server;
    database = await pgDatabase({ host, port, user, database: await server.createDatabase() });
    await migrate(database);
    await database.query(
      `insert into users (username, password_hash, role) select 'user-' || n, 'none', 'user' from generate_series(1, $1::integer) n`,
      [USERS],
    );
    // One in twenty has not ended.
    await database.query(
      `insert into sessions (id, user_id, template, manifest, state, desired_state, platform, request_hash, created_at)
       select 's-' || n, u.id, 'x', '{}', case when n % 20 = 0 then 'running' else 'terminated' end, 'external', 'any',
              '\\x00', now() - n * interval '1 second'
         from generate_series(1, $1::integer) n join users u on u.username = 'user-' || (1 + n % $2::integer)`,
      [SESSIONS, USERS],
    );
    await database.query('analyze');
    userId = (await database.query<{ id: string }>(`select id from users where username = 'user-1'`)).rows[0]!
      .id;
  }, 60_000);
  afterAll(async () => {
    await database[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  }, 30_000);

  /** The parts of a page's plan that read sessions, after it ran. */
  async function scansOf(query: Parameters<typeof listSessions>[1]): Promise<PlanNode[]> {
    let plan: PlanNode | undefined;
    await listSessions(
      {
        script: (sql) => database.script(sql),
        async query(sql, values) {
          const explained = await database.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
            `explain (analyze, format json) ${sql}`,
            values,
          );
          plan = explained.rows[0]!['QUERY PLAN'][0].Plan;
          return database.query(sql, values);
        },
      },
      query,
    );
    return nodesOf(plan!).filter((node) => node['Relation Name'] === 'sessions');
  }

  it.each([
    ['of all users', 'sessions_listed', false],
    ['of one user', 'sessions_listed_by_user', true],
  ])('%s reads as many rows as the page has, from an index', async (_whose, index, isOfOne) => {
    const of = isOfOne ? { userId } : {};
    const first = await listSessions(database, { ...of, limit: LIMIT });
    // Beyond those that have not ended: 500 of all, 100 of one user.
    const far = await listSessions(database, { ...of, limit: 600 });
    for (const after of [undefined, first.next, far.next]) {
      const scans = await scansOf({ ...of, ...(after && { after }), limit: LIMIT });
      expect(scans).toEqual([
        expect.objectContaining({ 'Index Name': index, 'Actual Rows': LIMIT + 1, 'Actual Loops': 1 }),
      ]);
      expect(scans[0]!['Rows Removed by Filter'] ?? 0).toBe(0);
    }
  });
});
