import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import jwt from 'jsonwebtoken';
import type { Database } from '../src/index.js';
import { RecentlyTold } from '../src/auth/recently-told.js';
import { cookieValues } from '../src/http/cookie-values.js';
import { memoryDatabase } from './support/memory-database.js';
import { setUpAdmin, startServer, TestClient, type TestServer } from './support/server.js';

const REFRESH = '/api/v1/auth/refresh';
const LOGOUT = '/api/v1/auth/logout';
const HEADER = 'x-streamspace-login';

let database: Database;
let server: TestServer;

beforeAll(async () => {
  database = await memoryDatabase();
}, 30_000);
afterAll(() => database[Symbol.asyncDispose]());
beforeEach(async () => {
  server = await startServer(database);
});
afterEach(() => server[Symbol.asyncDispose]());

/** What a server on another port of the same host name has: the cookie, and nothing of the page's storage. */
function thief(cookie: string | undefined): TestClient {
  const client = new TestClient(server.url);
  client.cookie = cookie;
  return client;
}
const refused = (): unknown[] => server.events.filter(({ type }) => type === 'refresh_refused');
const logins = async (): Promise<number> => (await database.query('select 1 from logins')).rows.length;
/** The same user in another browser. */
async function another(): Promise<TestClient> {
  const client = new TestClient(server.url);
  const body = { username: 'ann', password: 'correct horse' };
  const answer = await client.send('POST', '/api/v1/auth/login', body);
  client.token = answer.body['token'] as string;
  return client;
}

describe('the login secret', () => {
  it('comes with each answer that starts a login, and with no refresh', async () => {
    const client = await setUpAdmin(server);
    const atSetup = client.secret;
    expect(atSetup).toMatch(/^[0-9a-f-]{36}\.[\w-]{43}$/);
    const refreshed = await client.send('POST', REFRESH);
    expect(refreshed.status).toBe(200);
    expect(refreshed.body).not.toHaveProperty('login_secret');
    expect(refreshed.body['login_id']).toBe(atSetup?.split('.')[0]);
    const login = await another();
    expect(login.secret).toMatch(/^[0-9a-f-]{36}\.[\w-]{43}$/);
    expect(login.secret).not.toBe(atSetup);
    const { sid } = jwt.decode(login.token!) as { sid: string };
    expect(sid).toBe(login.secret?.split('.')[0]);
  });

  it('is stored as a hash only', async () => {
    const client = await setUpAdmin(server);
    const { rows } = await database.query<{ row: string; bytes: number }>(
      'select l::text as row, length(secret_hash) as bytes from logins l',
    );
    expect(rows.map(({ bytes }) => bytes)).toEqual([32]);
    expect(rows[0]?.row).not.toContain(client.secret?.split('.')[1]);
  });

  it('makes a stolen cookie useless, and its try harmless for the owner', async () => {
    const owner = await setUpAdmin(server);
    const stolen = owner.cookie;
    const other = await another();
    for (const secret of [undefined, 'nonsense', other.secret, `${stolen!.split('=')[1]}`]) {
      const attempt = thief(stolen);
      attempt.secret = secret;
      for (let n = 0; n < 3; n++) {
        const answer = await attempt.send('POST', REFRESH);
        expect(answer.status, `secret ${secret}`).toBe(401);
        expect(answer.headers.getSetCookie()).toEqual([]);
      }
    }
    expect((await owner.send('POST', REFRESH)).status).toBe(200);
    // The one that was stolen is an old one by now: without the secret it is no sign of a copy that counts.
    expect((await thief(stolen).send('POST', REFRESH)).status).toBe(401);
    expect((await owner.send('POST', REFRESH)).status).toBe(200);
    expect(refused()).toEqual([
      { type: 'refresh_refused', username: 'ann', loginId: owner.secret?.split('.')[0] },
    ]);
  });

  it('still ends a login whose cookie and secret were both copied', async () => {
    const owner = await setUpAdmin(server);
    const copy = thief(owner.cookie);
    copy.secret = owner.secret;
    for (let n = 0; n < 2; n++) expect((await owner.send('POST', REFRESH)).status).toBe(200);
    expect((await copy.send('POST', REFRESH)).status).toBe(401);
    expect((await owner.send('POST', REFRESH)).status).toBe(401);
  });

  it('sends users of logins without one to log in again', async () => {
    const client = await setUpAdmin(server);
    await database.query('update logins set secret_hash = null');
    expect((await client.send('POST', REFRESH)).status).toBe(401);
    const again = await another();
    expect((await again.send('POST', REFRESH)).status).toBe(200);
  });

  it('is no help with the cookie of another login, and neither login is harmed', async () => {
    const a = await setUpAdmin(server);
    const b = await another();
    const mixed = thief(b.cookie);
    mixed.secret = a.secret;
    const answer = await mixed.send('POST', REFRESH);
    expect(answer.status).toBe(401);
    expect(answer.body['detail']).toBe('The refresh cookie of this browser belongs to another login.');
    for (const client of [a, b]) expect((await client.send('POST', REFRESH)).status).toBe(200);
  });
});

describe('a cookie that another port has set', () => {
  it('does not hide the right one, whatever it claims to be', async () => {
    const owner = await setUpAdmin(server);
    const other = await another();
    const id = owner.secret!.split('.')[0]!;
    for (const tossed of ['x', '%E0%A4%A', other.cookie!.split('=')[1]!, `${id}.${'A'.repeat(43)}`]) {
      const cookie = `streamspace_refresh=${tossed}; other=1; ${owner.cookie}`;
      const answer = await owner.send('POST', REFRESH, undefined, { cookie });
      expect(answer.status, tossed).toBe(200);
    }
    expect((await other.send('POST', REFRESH)).status).toBe(200);
  });

  it('in place of the right one ends no more than this login: a new one works', async () => {
    const owner = await setUpAdmin(server);
    owner.cookie = `streamspace_refresh=${owner.secret!.split('.')[0]}.${'A'.repeat(43)}`;
    expect((await owner.send('POST', REFRESH)).status).toBe(401);
    const again = await another();
    expect((await again.send('POST', REFRESH)).status).toBe(200);
  });

  it('gives nobody the login of who has set it', async () => {
    const attacker = await setUpAdmin(server);
    const victim = await another();
    victim.cookie = attacker.cookie;
    expect((await victim.send('POST', REFRESH)).status).toBe(401);
    victim.secret = undefined;
    expect((await victim.send('POST', REFRESH)).status).toBe(401);
  });

  it('is read from a header with many of the name', () => {
    expect(cookieValues('a=1; b=2;a=3 ; a="4"; ab=5; a', 'a')).toEqual(['1', '3', '"4"']);
    expect(cookieValues(undefined, 'a')).toEqual([]);
    expect(cookieValues('', 'a')).toEqual([]);
  });
});

describe('logging out', () => {
  const removed = /^streamspace_refresh=; Path=\/api\/v1\/auth; Expires=Thu, 01 Jan 1970/;

  it('by the cookie alone removes the cookie, and the login stays', async () => {
    const owner = await setUpAdmin(server);
    const answer = await thief(owner.cookie).send('POST', LOGOUT);
    expect(answer.status).toBe(204);
    expect(answer.headers.getSetCookie()[0]).toMatch(removed);
    expect(await logins()).toBe(1);
    expect((await owner.send('POST', REFRESH)).status).toBe(200);
  });

  it('by cookie and secret ends the login', async () => {
    const owner = await setUpAdmin(server);
    owner.token = undefined;
    const answer = await owner.send('POST', LOGOUT);
    expect(answer.headers.getSetCookie()[0]).toMatch(removed);
    expect(await logins()).toBe(0);
  });

  it('by the access token ends its login, without the cookie', async () => {
    const owner = await setUpAdmin(server);
    const kept = await another();
    const bearer = new TestClient(server.url);
    bearer.token = owner.token;
    expect((await bearer.send('POST', LOGOUT)).status).toBe(204);
    expect(await logins()).toBe(1);
    expect((await owner.send('POST', REFRESH)).status).toBe(401);
    expect((await kept.send('POST', REFRESH)).status).toBe(200);
  });

  it('leaves the cookie of another login in the browser', async () => {
    const a = await setUpAdmin(server);
    const b = await another();
    const answer = await a.send('POST', LOGOUT, undefined, { cookie: b.cookie! });
    expect(answer.headers.getSetCookie()).toEqual([]);
    expect((await a.send('POST', REFRESH)).status).toBe(401);
    expect((await b.send('POST', REFRESH)).status).toBe(200);
  });

  it('by a token that is not valid, or by a wrong secret, ends nothing', async () => {
    const owner = await setUpAdmin(server);
    const id = owner.secret!.split('.')[0]!;
    for (const headers of [
      { authorization: 'Bearer abc' },
      { authorization: `Bearer ${jwt.sign({ role: 'admin', sid: id }, 'y'.repeat(32))}` },
      { [HEADER]: `${id}.${'A'.repeat(43)}` },
      { [HEADER]: 'nonsense' },
    ])
      expect((await thief(owner.cookie).send('POST', LOGOUT, undefined, headers)).status).toBe(204);
    expect(await logins()).toBe(1);
  });
});

describe('what is told of a wrong secret', () => {
  it('is told once in ten minutes for each login, of a bounded number of logins', () => {
    let now = 0;
    const told = new RecentlyTold(() => now);
    expect([told.isNew('a'), told.isNew('a'), told.isNew('b')]).toEqual([true, false, true]);
    now = 600_000;
    expect(told.isNew('a')).toBe(true);
    for (let n = 0; n < 1_000; n++) told.isNew(`other-${n}`);
    expect(told.isNew('a')).toBe(true);
  });
});
