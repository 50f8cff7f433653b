import type { IncomingMessage } from 'node:http';
import { exists } from '@streamspace/api';
import { createClient } from '@streamspace/client';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { OwnAccounts } from '../src/auth/own-accounts.js';
import { operationOf, REQUEST_IDS } from '../src/http/operations.js';
import type { Database, Identity } from '../src/index.js';
import { memoryDatabase } from './support/memory-database.js';
import { fakeAgent } from './support/fake-agent.js';
import { startServer, TestClient, type ServerOptions, type TestServer } from './support/server.js';
import { addUser } from './support/users.js';

let database: Database;
let server: TestServer;

beforeAll(async () => {
  database = await memoryDatabase();
}, 60_000);
afterAll(() => database[Symbol.asyncDispose]());
afterEach(() => server[Symbol.asyncDispose]());

const PEOPLE: Readonly<Record<string, Identity>> = {
  ada: { issuer: 'app', subject: '1', username: 'ada', role: 'admin' },
  bo: { issuer: 'app', subject: '2', username: 'bo', role: 'user' },
};

/** The application's own way: the name of a person as the token, or in a cookie. */
const byName = ({ headers }: IncomingMessage): Identity | undefined => {
  const name = /(?:^Bearer |\bperson=)(\w+)/.exec(`${headers.authorization ?? headers.cookie ?? ''}`)?.[1];
  return PEOPLE[name ?? ''];
};

const start = async (options: ServerOptions = {}): Promise<void> => {
  server = await startServer(database, { authenticate: byName, ...options });
};

function clientOf(name: string): TestClient {
  const client = new TestClient(server.url, { ownAccounts: true });
  client.token = name;
  return client;
}

describe('a control plane in an application that keeps the accounts', () => {
  it('knows its users by what the application says at each request', async () => {
    await start();
    expect((await clientOf('ada').send('GET', '/api/v1/agents')).status).toBe(200);
    expect((await clientOf('bo').send('GET', '/api/v1/agents')).body['code']).toBe('forbidden');
    expect(await clientOf('eve').send('GET', '/api/v1/sessions')).toMatchObject({
      status: 401,
      body: { code: 'not_logged_in', remedy: 'Log in to the application.' },
    });
    const { rows } = await database.query(
      `select username, role, issuer, subject from users order by username`,
    );
    expect(rows).toEqual([PEOPLE['ada'], PEOPLE['bo']]);
    expect((await clientOf('ada').send('GET', '/api/v1/admin/audit')).status).toBe(200);
  });

  it.each(REQUEST_IDS)('answers %s only to users of the application', async (id) => {
    await start();
    const { auth, method, path } = operationOf(id);
    const ask = (client: TestClient) =>
      client.send(method, path.replace('{id}', 's'), method === 'POST' ? {} : undefined);
    const stranger = await ask(new TestClient(server.url, { ownAccounts: true }));
    if (!exists(operationOf(id), { ownAccounts: true })) expect(stranger.status).toBe(404);
    else if (auth === 'user' || auth === 'admin') expect(stranger.body['code']).toBe('not_logged_in');
    if (auth === 'admin') expect((await ask(clientOf('bo'))).body['code']).toBe('forbidden');
  });

  it('takes the role of this request, and not that of the row, to place a session', async () => {
    await start({ unisolatedAgents: 'admins' });
    const key = await server.controlPlane.agents.issueKey('desk-1');
    const agent = await fakeAgent({ url: server.wsUrl, agentId: 'desk-1', key });
    await clientOf('bo').send('GET', '/api/v1/sessions');
    await database.query(`update users set role = 'admin' where username = 'bo'`);
    const create = () => clientOf('bo').send('POST', '/api/v1/sessions', { template: 'desk' });
    expect((await create()).body['code']).toBe('no_agents_available');
    await agent[Symbol.asyncDispose]();
  });

  it('takes a role away with the next request', async () => {
    let role: Identity['role'] = 'admin';
    await start({ authenticate: () => ({ ...PEOPLE['ada']!, role }) });
    expect((await clientOf('x').send('GET', '/api/v1/agents')).status).toBe(200);
    role = 'user';
    expect((await clientOf('x').send('GET', '/api/v1/agents')).status).toBe(403);
  });

  it('has no set-up and no login of ours, and takes no token of ours', async () => {
    await start();
    const local = await addUser(database, server, 'local');
    for (const [method, path] of [
      ['GET', '/api/v1/setup'],
      ['POST', '/api/v1/setup'],
      ['POST', '/api/v1/auth/login'],
      ['POST', '/api/v1/auth/refresh'],
      ['POST', '/api/v1/auth/logout'],
    ] as const)
      expect((await clientOf('ada').send(method, path, method === 'GET' ? undefined : {})).status).toBe(404);
    expect((await local.send('GET', '/api/v1/sessions')).status).toBe(401);
    expect(await server.controlPlane.setup.issueLink()).toBeUndefined();
  });

  it('refuses the name of a local user, and gives nothing of that user', async () => {
    await start();
    await addUser(database, server, 'Ada');
    expect(await clientOf('ada').send('GET', '/api/v1/sessions')).toMatchObject({
      status: 409,
      body: { code: 'user_exists' },
    });
  });

  it('changes nothing for pages of other sites, whose requests bring the application’s cookies', async () => {
    await start();
    const client = new TestClient(server.url, { ownAccounts: true });
    client.cookie = 'person=ada';
    const create = (headers: Record<string, string>) =>
      client.send('POST', '/api/v1/admin/agents', { agent_id: 'desk-9' }, headers);
    for (const headers of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }])
      expect(await create(headers)).toMatchObject({ status: 403, body: { code: 'origin_not_allowed' } });
    const ticket = await client.send(
      'POST',
      '/api/v1/sessions/s/tickets',
      { mode: 'view' },
      { origin: 'null' },
    );
    expect(ticket.body['code']).toBe('origin_not_allowed');
    expect((await create({ origin: server.url })).status).toBe(201);
  });

  it('answers 500 and reports it where the application fails, or returns something other than an identity', async () => {
    const failure = new Error('the session store is away');
    await start({ authenticate: () => Promise.reject(failure) });
    expect((await clientOf('x').send('GET', '/api/v1/sessions')).body['code']).toBe('internal');
    expect(server.errors.map(({ error }) => error)).toEqual([failure]);
    await server[Symbol.asyncDispose]();

    await start({ authenticate: () => ({ ...PEOPLE['bo']!, username: 'b\no' }) });
    expect((await clientOf('x').send('GET', '/api/v1/sessions')).body['code']).toBe('internal');
    expect(server.errors.map(({ error }) => String(error))).toEqual([
      'TypeError: username of an identity must be a string of 1 to 200 characters without control characters, line breaks or changes of text direction; got "b\\no".',
    ]);
  });

  it('sees the request as the application’s middleware has left it', async () => {
    await start({
      configure: (app) =>
        app.use((request, _response, next) => (Object.assign(request, { person: 'bo' }), next())),
      authenticate: (request) => PEOPLE[(request as IncomingMessage & { person?: string }).person ?? ''],
    });
    expect(
      (await new TestClient(server.url, { ownAccounts: true }).send('GET', '/api/v1/sessions')).status,
    ).toBe(200);
  });

  it('gets the application’s token from the client, which asks for it again after a 401', async () => {
    await start();
    const asked: string[] = [];
    const client = createClient({
      baseUrl: server.url,
      token: async () => {
        asked.push(asked.length === 0 ? 'expired' : 'bo');
        return asked.at(-1)!;
      },
    });
    expect(await client.sessions.list()).toEqual([]);
    expect(asked).toEqual(['expired', 'bo']);
    const plain = createClient({ baseUrl: server.url, token: 'unknown' });
    await expect(plain.sessions.list()).rejects.toMatchObject({ status: 401, code: 'not_logged_in' });
  });
});

describe('OwnAccounts', () => {
  const user = { id: 'u', username: 'bo', role: 'user' } as const;
  const request = {} as IncomingMessage;

  it.each(['علی\u200cرضا', 'a🧑‍💻', 'José', 'ada@app.example'])('takes the name %s', async (username) => {
    const accounts = new OwnAccounts({
      authenticate: () => ({ ...PEOPLE['bo']!, username }),
      store: { put: async () => user },
    });
    await expect(accounts.callerOf(request)).resolves.toEqual({ userId: 'u', role: 'user' });
  });

  it('takes names that look the same for the same', async () => {
    const puts: string[] = [];
    for (const username of ['José', 'Jose\u0301', ' José '])
      await new OwnAccounts({
        authenticate: () => ({ ...PEOPLE['bo']!, username }),
        store: { put: async (one) => (puts.push(one.username), user) },
      }).callerOf(request);
    expect(new Set(puts)).toEqual(new Set(['José']));
  });

  it.each([undefined, null])('takes %s for a request without a login', async (identity) => {
    const accounts = new OwnAccounts({ authenticate: () => identity, store: { put: async () => user } });
    await expect(accounts.callerOf(request)).rejects.toMatchObject({ code: 'not_logged_in' });
  });

  it('writes a user once, and again when the name or the role is another', async () => {
    const puts: Identity[] = [];
    let identity = PEOPLE['bo']!;
    const accounts = new OwnAccounts({
      authenticate: () => identity,
      store: { put: async (one) => (puts.push(one), user) },
    });
    for (let n = 0; n < 3; n++) await accounts.callerOf(request);
    expect(puts).toHaveLength(1);
    identity = { ...identity, role: 'admin' };
    await accounts.callerOf(request);
    expect(puts).toHaveLength(2);
  });

  it('does not wait for an application that never answers, and tells it by the signal', async () => {
    let told: AbortSignal | undefined;
    const accounts = new OwnAccounts({
      authenticate: (_request, signal) => {
        told = signal;
        return new Promise(() => undefined);
      },
      store: { put: async () => user },
      answerMs: 20,
    });
    await expect(accounts.callerOf(request)).rejects.toMatchObject({ code: 'busy', shouldRetry: true });
    expect(told?.aborted).toBe(true);
  });

  it.each([
    [7, 'authenticate must return an identity, undefined or null; got number.'],
    ['bo', 'authenticate must return an identity, undefined or null; got string.'],
    [
      { ...PEOPLE['bo'], username: 'a\u2028b' },
      'username of an identity must be a string of 1 to 200 characters',
    ],
    [
      { ...PEOPLE['bo'], username: '\u202ebo' },
      'username of an identity must be a string of 1 to 200 characters',
    ],
    [{ ...PEOPLE['bo'], username: '  ' }, 'username of an identity must not be blank.'],
    [{ ...PEOPLE['bo'], issuer: '' }, 'issuer of an identity must be a string of 1 to 500 characters'],
    [
      { ...PEOPLE['bo'], subject: 7 },
      'subject of an identity must be a string of 1 to 255 characters without control characters, line breaks or changes of text direction; got number.',
    ],
    [{ ...PEOPLE['bo'], role: 'root' }, 'role of an identity must be one of admin, user; got "root".'],
  ])('refuses %j', async (identity, message) => {
    const accounts = new OwnAccounts({
      authenticate: () => identity as Identity,
      store: { put: async () => user },
    });
    await expect(accounts.callerOf(request)).rejects.toThrow(message);
  });
});
