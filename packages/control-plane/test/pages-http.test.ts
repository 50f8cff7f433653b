import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AccessTokens } from '../src/auth/access-tokens.js';
import { decodeCursor, encodeCursor } from '../src/http/session-cursor.js';
import type { Database } from '../src/index.js';
import { pgliteDatabase } from '../src/pglite/index.js';
import {
  setUpAdmin,
  startServer,
  TestClient,
  type ServerOptions,
  type TestServer,
} from './support/server.js';

let database: Database;
let server: TestServer;
let admin: TestClient;

const start = async (options: ServerOptions = {}): Promise<void> => {
  server = await startServer(database, { mount: '/vdi', ...options });
  admin = await setUpAdmin(server);
};

beforeAll(async () => {
  database = await pgliteDatabase({ memory: true });
}, 30_000);
afterAll(() => database[Symbol.asyncDispose]());
beforeEach(() => start());
afterEach(() => server[Symbol.asyncDispose]());

const SESSIONS = '/api/v1/sessions';
const idsOf = (answer: { body: unknown }): unknown[] =>
  (answer.body as Record<string, unknown>[]).map(({ id }) => id);
const invalidField = { status: 422, body: { code: 'invalid_field' } };

/** Where the next page is, below the mount; `undefined` on the last page. */
function nextOf({ headers }: { headers: Headers }, mount = '/vdi'): string | undefined {
  const link = headers.get('link');
  if (link === null) return undefined;
  const target = /^<([^>]+)>; rel="next"$/.exec(link)?.[1];
  expect(target, link).toMatch(new RegExp(`^${mount}/api/v1/`));
  return target!.slice(mount.length);
}

/** Every page from here. */
async function follow(client: TestClient, path: string, mount?: string): Promise<unknown[][]> {
  const pages: unknown[][] = [];
  for (let next: string | undefined = path; next !== undefined && pages.length < 100;) {
    const answer = await client.send('GET', next);
    expect(answer.status).toBe(200);
    pages.push(idsOf(answer));
    next = nextOf(answer, mount);
  }
  return pages;
}

/** Sessions `a-1` … of a user, the last one the newest; each that `hasEnded` has ended. */
async function addSessions(username: string, count: number, hasEnded: (n: number) => boolean): Promise<void> {
  await database.query(
    `insert into users (username, password_hash, role) values ($1, 'none', 'user') on conflict do nothing`,
    [username],
  );
  for (let n = 1; n <= count; n++)
    await database.query(
      `insert into sessions (id, user_id, template, manifest, state, desired_state, platform, request_hash, created_at)
       select $1, id, 'desk', '{}', $2, 'external', 'any', '\\x00', timestamptz '2026-01-01' + $3::integer * interval '1 microsecond'
         from users where username = $4`,
      [`${username}-${n}`, hasEnded(n) ? 'terminated' : 'running', n, username],
    );
}

async function clientOf(username: string): Promise<TestClient> {
  const { rows } = await database.query<{ id: string }>('select id from users where username = $1', [
    username,
  ]);
  const client = new TestClient(server.url);
  const tokens = new AccessTokens('a secret for tests that is long enough');
  client.token = tokens.issue({ id: rows[0]!.id, username, role: 'user' }, 'a login').token;
  return client;
}

describe('the list of sessions', () => {
  it('is followed page by page, below the mount, with the other parameters kept', async () => {
    await addSessions('a', 7, (n) => n > 4);
    const first = await admin.send('GET', `${SESSIONS}?other=a%20b&limit=3`);
    expect(idsOf(first)).toEqual(['a-4', 'a-3', 'a-2']);
    expect(nextOf(first)).toMatch(/^\/api\/v1\/sessions\?other=a\+b&limit=3&cursor=[\w-]+$/);
    expect(await follow(admin, `${SESSIONS}?limit=3`)).toEqual([
      ['a-4', 'a-3', 'a-2'],
      ['a-1', 'a-7', 'a-6'],
      ['a-5'],
    ]);
    const all = await admin.send('GET', SESSIONS);
    expect(idsOf(all)).toHaveLength(7);
    expect(all.headers.get('link')).toBeNull();
  });

  it('has at most 1000 where no limit is asked for, and says where the rest is', async () => {
    await addSessions('a', 1, () => false);
    await database.query(
      `insert into sessions (id, user_id, template, manifest, state, desired_state, platform, request_hash)
       select 'old-' || n, user_id, 'desk', '{}', 'failed', 'external', 'any', '\\x00' from sessions, generate_series(1, 1000) n`,
    );
    const pages = await follow(admin, SESSIONS);
    expect(pages.map((page) => page.length)).toEqual([1_000, 1]);
    expect(pages[0]![0]).toBe('a-1');
    expect(new Set(pages.flat()).size).toBe(1_001);
  });

  it('has only the caller’s sessions, also with a cursor of an administrator', async () => {
    await addSessions('a', 3, () => false);
    await addSessions('b', 3, () => false);
    const user = await clientOf('a');
    expect(await follow(user, `${SESSIONS}?limit=2`)).toEqual([['a-3', 'a-2'], ['a-1']]);
    const next = nextOf(await admin.send('GET', `${SESSIONS}?limit=1`));
    for (const id of idsOf(await user.send('GET', next!))) expect(id).toMatch(/^a-/);
  });

  it('links to the path that browsers see where a proxy strips it', async () => {
    await server[Symbol.asyncDispose]();
    await start({ mount: '', publicUrl: 'https://desk.example/seen', podName: 'pod-b' });
    await addSessions('a', 3, () => false);
    expect(await follow(admin, `${SESSIONS}?limit=2`, '/seen')).toEqual([['a-3', 'a-2'], ['a-1']]);
  });

  it('refuses limits out of range', async () => {
    for (const limit of ['0', '1001', '-1', '1.5', 'x', ''])
      expect(await admin.send('GET', `${SESSIONS}?limit=${limit}`)).toMatchObject(invalidField);
  });

  it('refuses cursors that are not the server’s, or were changed', async () => {
    const cursor = encodeCursor({ isLiving: true, createdAtUs: 1_764_000_000_000_001, id: 'desk' });
    expect((await admin.send('GET', `${SESSIONS}?cursor=${cursor}`)).status).toBe(200);
    const changed = [...cursor].map(
      (char, at) => cursor.slice(0, at) + (char === 'A' ? 'B' : 'A') + cursor.slice(at + 1),
    );
    for (const one of [
      '',
      'x',
      `${cursor}A`,
      `${cursor}=`,
      cursor.slice(1),
      cursor.slice(0, -1),
      changed[3]!,
      changed.at(-2)!,
    ])
      expect(await admin.send('GET', `${SESSIONS}?cursor=${one}`), one).toMatchObject(invalidField);
    expect(await admin.send('GET', `${SESSIONS}?cursor=${cursor}&cursor=${cursor}`)).toMatchObject(
      invalidField,
    );
    for (const one of changed) expect(() => decodeCursor(one), one).toThrow(/cursor must be/);
  });
});

describe('lists that go on at an id', () => {
  it('link to the next page of a session’s events', async () => {
    await addSessions('a', 1, () => false);
    await database.query(
      `insert into session_events (session_id, generation, kind, message) select 'a-1', 1, 'idle', 'x' from generate_series(1, 4)`,
    );
    const path = `${SESSIONS}/a-1/events`;
    const [all] = await follow(admin, path);
    expect(all).toHaveLength(5);
    expect(await follow(admin, `${path}?limit=2`)).toEqual([
      all!.slice(0, 2),
      all!.slice(2, 4),
      all!.slice(4),
    ]);
    expect((await admin.send('GET', `${path}?limit=5`)).headers.get('link')).toBeNull();
  });

  it('link to the next page of the audit log', async () => {
    for (const agent of ['x', 'y']) await admin.send('POST', '/api/v1/admin/agents', { agent_id: agent });
    const path = '/api/v1/admin/audit';
    const [all] = await follow(admin, `${path}?limit=1000`);
    const newest = await follow(admin, `${path}?limit=2`);
    expect(newest.flat()).toEqual(all);
    expect(newest.slice(0, -1).every((page) => page.length === 2)).toBe(true);
  });
});
