import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../src/index.js';
import { memoryDatabase } from './support/memory-database.js';
import { DatabaseError } from '../src/stores/database-error.js';
import { fakeAgent, type FakeAgent } from './support/fake-agent.js';
import {
  eventually,
  setUpAdmin,
  startServer,
  TestClient,
  type ServerOptions,
  type TestServer,
} from './support/server.js';

let database: Database;
let server: TestServer;
const agents: FakeAgent[] = [];

beforeAll(async () => {
  database = await memoryDatabase();
}, 30_000);
afterAll(() => database[Symbol.asyncDispose]());
beforeEach(async () => {
  server = await startServer(database);
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  agents.length = 0;
});

async function addAgent(agentId = 'desk-1'): Promise<FakeAgent> {
  const key = await server.controlPlane.agents.issueKey(agentId);
  const registration = { agentId, platform: 'local', metadata: { isolated: true } };
  await new TestClient(server.url).send('POST', '/api/v1/agents/register', registration, {
    'x-agent-api-key': key,
  });
  const agent = await fakeAgent({ url: server.wsUrl, agentId, key });
  agents.push(agent);
  return agent;
}

const problem = (status: number, code: string) => ({
  status,
  body: expect.objectContaining({
    status,
    code,
    title: expect.any(String) as string,
    detail: expect.any(String) as string,
    type: 'about:blank',
  }) as Record<string, unknown>,
});

describe('health', () => {
  it('is told with the name of the replica', async () => {
    const client = new TestClient(server.url);
    expect(await client.send('GET', '/health')).toMatchObject({
      status: 200,
      body: { status: 'healthy', pod_name: 'pod-a' },
    });
    expect(await client.send('GET', '/ready')).toMatchObject({ status: 200, body: { status: 'ready' } });
  });

  it('is not ready without the database, and requests are to come again', async () => {
    const away = async (): Promise<never> => {
      throw new DatabaseError('unavailable', 'connect ECONNREFUSED');
    };
    const broken: Database = { ...bound(database) };
    await using other = await startServer(broken, { reset: false, podName: 'pod-b' });
    broken.query = away;
    broken.transaction = away;
    const client = new TestClient(other.url);
    const ready = await client.send('GET', '/ready');
    expect(ready).toMatchObject(problem(503, 'database_unavailable'));
    expect(ready.headers.get('retry-after')).toBe('2');
    const login = await client.send('POST', '/api/v1/auth/login', { username: 'a', password: 'b' });
    expect(login).toMatchObject(problem(503, 'database_unavailable'));
    expect((await client.send('GET', '/health')).status).toBe(200);
    expect(JSON.stringify(login.body)).not.toContain('ECONNREFUSED');
  });
});

const bound = (on: Database): Database => ({
  query: on.query.bind(on),
  script: on.script.bind(on),
  transaction: on.transaction.bind(on),
  [Symbol.asyncDispose]: async () => undefined,
});

describe('the description of the API', () => {
  it('is an OpenAPI document whose server is the mount', async () => {
    const { status, body } = await new TestClient(server.url).send('GET', '/api/openapi.json');
    expect(status).toBe(200);
    expect(body).toMatchObject({ openapi: '3.1.0', servers: [{ url: '/' }] });
  });
});

describe('probes', () => {
  it('are left to the host application where they are switched off', async () => {
    await using own = await startServer(database, { probes: false, reset: false, podName: 'pod-b' });
    for (const path of ['/health', '/ready']) {
      const response = await fetch(own.url + path);
      expect(response.status).toBe(404);
      expect(response.headers.get('content-type')).toMatch(/html/);
    }
  });
});

describe('errors', () => {
  it('are problem documents with security headers', async () => {
    const client = new TestClient(server.url);
    const missing = await client.send('GET', '/api/v1/nothing');
    expect(missing).toMatchObject(problem(404, 'not_found'));
    expect(missing.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(missing.headers.get('cache-control')).toBe('no-store');
    expect(missing.headers.get('x-content-type-options')).toBe('nosniff');
    expect(missing.headers.get('x-powered-by')).toBeNull();
  });

  it('tell malformed, oversized, wrongly typed and missing bodies apart', async () => {
    const client = new TestClient(server.url);
    const login = (body: unknown, type = 'application/json') =>
      client.send('POST', '/api/v1/auth/login', body, { 'content-type': type });
    expect(await login('{"username":')).toMatchObject(problem(400, 'malformed_json'));
    expect(await login(`"${'x'.repeat(1024 * 1024)}"`)).toMatchObject(problem(413, 'body_too_large'));
    expect(await login('a=b', 'application/x-www-form-urlencoded')).toMatchObject(
      problem(400, 'bad_request'),
    );
    expect(await login({ username: 'a\0b', password: 'x' })).toMatchObject(problem(422, 'invalid_field'));
    expect(await login('{}', 'application/json; charset=ebcdic')).toMatchObject(
      problem(415, 'unsupported_media_type'),
    );
    const wrong = await login({ username: 7, password: 'x' });
    expect(wrong).toMatchObject(problem(422, 'invalid_field'));
    expect(wrong.body['detail']).toBe('username must be a string of 1 to 200 characters; got 7.');
  });

  it('describe no value that is nested deeper than it can be written', async () => {
    const deep = (open: string, close: string) => open.repeat(50_000) + close.repeat(50_000);
    const client = new TestClient(server.url);
    for (const [value, shown] of [
      [deep('[', ']'), 'an array'],
      [`${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`, 'an object'],
    ] as const) {
      const answer = await client.send('POST', '/api/v1/auth/login', `{"username":${value}}`);
      expect(answer).toMatchObject(problem(422, 'invalid_field'));
      expect(answer.body['detail']).toBe(`username must be a string of 1 to 200 characters; got ${shown}.`);
    }
  });

  it('do not repeat a password', async () => {
    const client = new TestClient(server.url);
    const { body } = await client.send('POST', '/api/v1/setup', {
      token: 't',
      username: 'ann',
      password: 'short',
    });
    expect(body).toMatchObject({
      code: 'invalid_field',
      detail: 'password must be a string of 10 to 1024 characters.',
    });
  });

  it('leave an API of the host application alone', async () => {
    const response = await fetch(`${server.url}/api/v2/things`);
    expect(response.status).toBe(404);
    expect(response.headers.get('content-type')).toMatch(/html/);
  });

  it('leave paths of the host application alone', async () => {
    const response = await fetch(`${server.url}/elsewhere`);
    expect(response.status).toBe(404);
    expect(response.headers.get('content-type')).toMatch(/html/);
    await response.arrayBuffer();
  });
});

describe('setting up', () => {
  it('makes the one administrator by a link that works once', async () => {
    const client = new TestClient(server.url);
    const path = '/api/v1/setup';
    expect((await client.send('GET', path)).body).toEqual({ required: true });
    const void_ = await server.controlPlane.setup.issueLink();
    const token = await server.controlPlane.setup.issueLink();
    const admin = { username: 'ann', password: 'correct horse' };
    expect(await client.send('POST', path, { ...admin, token: void_ })).toMatchObject(
      problem(403, 'setup_token_invalid'),
    );
    const both = await Promise.all([
      client.send('POST', path, { ...admin, token }),
      client.send('POST', path, { ...admin, username: 'bob', token }),
    ]);
    expect(both.map(({ status }) => status).sort()).toEqual([201, 409]);
    const made = both.find(({ status }) => status === 201)!;
    expect(made.body).toMatchObject({ token: expect.any(String), user: { role: 'admin' } });
    expect((await client.send('GET', path)).body).toEqual({ required: false });
    expect(await server.controlPlane.setup.issueLink()).toBeUndefined();
    expect(await client.send('POST', path, { ...admin, token })).toMatchObject(problem(409, 'setup_done'));
  });
});

describe('logging in', () => {
  it('gives a token, and a cookie that only the login paths see', async () => {
    await setUpAdmin(server);
    const client = new TestClient(server.url);
    const login = await client.send('POST', '/api/v1/auth/login', {
      username: 'Ann',
      password: 'correct horse',
    });
    expect(login.status).toBe(200);
    expect(login.body).toMatchObject({ user: { username: 'ann', role: 'admin' } });
    const [cookie] = login.headers.getSetCookie();
    expect(cookie).toMatch(
      /^streamspace_refresh=[\w.-]+; Path=\/api\/v1\/auth; Expires=[^;]+; HttpOnly; SameSite=Strict$/,
    );
    client.token = login.body['token'] as string;
    expect((await client.send('GET', '/api/v1/sessions')).body).toEqual([]);
  });

  it('says the same of a wrong password and of a user who does not exist', async () => {
    await setUpAdmin(server);
    const client = new TestClient(server.url);
    const wrong = await client.send('POST', '/api/v1/auth/login', { username: 'ann', password: 'wrong' });
    const nobody = await client.send('POST', '/api/v1/auth/login', { username: 'nobody', password: 'wrong' });
    expect(wrong).toMatchObject(problem(401, 'bad_credentials'));
    expect(wrong.body['detail']).toBe('The user name or the password is wrong.');
    expect(nobody.body).toEqual(wrong.body);
    expect(server.events.filter(({ type }) => type === 'login_refused')).toHaveLength(2);
  });

  it('is slowed down after too many wrong passwords', async () => {
    await setUpAdmin(server);
    const client = new TestClient(server.url);
    const attempt = (password: string) =>
      client.send('POST', '/api/v1/auth/login', { username: 'ann', password });
    await Promise.all(Array.from({ length: 10 }, () => attempt('wrong')));
    const late = await attempt('correct horse');
    expect(late).toMatchObject(problem(429, 'too_many_attempts'));
    expect(Number(late.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  it('is renewed by the cookie, also by two tabs at once, until logging out', async () => {
    const client = await setUpAdmin(server);
    const path = '/api/v1/auth/refresh';
    const old = client.cookie!;
    const tabs = await Promise.all([
      client.send('POST', path, undefined, { cookie: old }),
      client.send('POST', path, undefined, { cookie: old }),
    ]);
    expect(tabs.map(({ status }) => status)).toEqual([200, 200]);
    const [one, two] = tabs.map(({ headers }) => headers.getSetCookie()[0]?.split(';')[0]);
    expect(one).toBe(two);
    expect(one).not.toBe(old);
    expect((await client.send('POST', path)).status).toBe(200);
    // Two uses ago: nobody has that any more but a thief, and now the login is over for both.
    expect(await client.send('POST', path, undefined, { cookie: old })).toMatchObject(
      problem(401, 'not_logged_in'),
    );
    expect(await client.send('POST', path)).toMatchObject(problem(401, 'not_logged_in'));
  });

  it.each([
    { origin: 'https://elsewhere.example' },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ])('is neither renewed nor ended by a page of another site: %j', async (headers) => {
    const client = await setUpAdmin(server);
    for (const path of ['/api/v1/auth/refresh', '/api/v1/auth/logout'])
      expect(await client.send('POST', path, undefined, headers as Record<string, string>)).toMatchObject(
        problem(403, 'origin_not_allowed'),
      );
    const own = { origin: server.url, 'sec-fetch-site': 'same-origin' };
    expect((await client.send('POST', '/api/v1/auth/refresh', undefined, own)).status).toBe(200);
    expect((await client.send('POST', '/api/v1/auth/logout', undefined, own)).status).toBe(204);
  });

  it('ends with logging out', async () => {
    const client = await setUpAdmin(server);
    const cookie = client.cookie!;
    expect((await client.send('POST', '/api/v1/auth/logout')).status).toBe(204);
    const again = await client.send('POST', '/api/v1/auth/refresh', undefined, { cookie });
    expect(again).toMatchObject(problem(401, 'not_logged_in'));
    expect((await new TestClient(server.url).send('POST', '/api/v1/auth/refresh')).status).toBe(401);
  });
});

describe('agents', () => {
  it('register with the key that an administrator got for them', async () => {
    const admin = await setUpAdmin(server);
    const issued = await admin.send('POST', '/api/v1/admin/agents', { agent_id: 'desk-1' });
    expect(issued).toMatchObject({
      status: 201,
      body: { agent_id: 'desk-1', api_key: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
    const key = issued.body['api_key'] as string;
    const client = new TestClient(server.url);
    const register = (headers: Record<string, string>) =>
      client.send(
        'POST',
        '/api/v1/agents/register',
        { agentId: 'desk-1', platform: 'local', capacity: { maxSessions: 3 } },
        headers,
      );
    const first = await register({ 'x-agent-api-key': key });
    expect(first).toMatchObject({
      status: 201,
      body: {
        agentId: 'desk-1',
        platform: 'local',
        status: 'offline',
        id: expect.any(String),
        createdAt: expect.any(String),
      },
    });
    expect((await register({ 'X-Agent-API-Key': key })).status).toBe(200);
    expect(await register({})).toMatchObject(problem(401, 'agent_key_missing'));
    expect(await register({ 'x-agent-api-key': 'f'.repeat(64) })).toMatchObject(
      problem(403, 'agent_key_invalid'),
    );
    expect(await admin.send('POST', '/api/v1/admin/agents', { agent_id: '-x' })).toMatchObject(
      problem(422, 'invalid_field'),
    );
    const again = await admin.send('POST', '/api/v1/admin/agents', { agent_id: 'desk-1' });
    expect(await register({ 'x-agent-api-key': key })).toMatchObject(problem(403, 'agent_key_invalid'));
    expect((await register({ 'x-agent-api-key': again.body['api_key'] as string })).status).toBe(200);
    expect((await admin.send('GET', '/api/v1/agents')).body).toEqual([
      {
        agent_id: 'desk-1',
        platform: 'local',
        status: 'offline',
        region: null,
        last_heartbeat: null,
        capacity: { max_sessions: 3, current_sessions: 0 },
      },
    ]);
  });

  it('keep their keys when the JWT secret changes and agentKeySecret is the old one', async () => {
    const key = await server.controlPlane.agents.issueKey('desk-1');
    const jwtSecret = 'another secret for tests that is long enough';
    const registered = async (podName: string, options: ServerOptions): Promise<number> => {
      await using other = await startServer(database, { podName, jwtSecret, reset: false, ...options });
      const body = { agentId: 'desk-1', platform: 'local' };
      const client = new TestClient(other.url);
      return (await client.send('POST', '/api/v1/agents/register', body, { 'x-agent-api-key': key })).status;
    };
    expect(await registered('pod-e', {})).toBe(403);
    expect(await registered('pod-f', { agentKeySecret: 'a secret for tests that is long enough' })).toBe(201);
  });

  it('are for administrators only', async () => {
    const client = new TestClient(server.url);
    expect(await client.send('GET', '/api/v1/agents')).toMatchObject(problem(401, 'not_logged_in'));
    client.token = await ordinaryUser();
    expect(await client.send('GET', '/api/v1/agents')).toMatchObject(problem(403, 'forbidden'));
    expect(await client.send('POST', '/api/v1/admin/agents', { agent_id: 'x' })).toMatchObject(
      problem(403, 'forbidden'),
    );
  });

  it('connect with their key alone, and are shown online', async () => {
    const admin = await setUpAdmin(server);
    await addAgent();
    const { body } = await admin.send('GET', '/api/v1/agents');
    expect(body).toMatchObject([{ agent_id: 'desk-1', status: 'online', platform: 'local' }]);
    await expect(fakeAgent({ url: server.wsUrl, agentId: 'desk-1', key: 'wrong' })).rejects.toThrow('403');
    await expect(fakeAgent({ url: server.wsUrl, agentId: 'desk-1', key: '' })).rejects.toThrow('401');
  });
});

/** A token of a user who is no administrator. */
async function ordinaryUser(username = 'bob'): Promise<string> {
  const { hash } = await import('@node-rs/argon2');
  await database.query(`insert into users (username, password_hash, role) values ($1, $2, 'user')`, [
    username,
    await hash('correct horse'),
  ]);
  const { body } = await new TestClient(server.url).send('POST', '/api/v1/auth/login', {
    username,
    password: 'correct horse',
  });
  return body['token'] as string;
}

describe('sessions', () => {
  it('are made once from the same request, and refused for another', async () => {
    const client = await setUpAdmin(server);
    const agent = await addAgent();
    const request = { template: 'desk', id: 'my-desk' };
    const first = await client.send('POST', '/api/v1/sessions', request);
    expect(first).toMatchObject({
      status: 201,
      body: {
        id: 'my-desk',
        user: 'ann',
        template: 'desk',
        state: 'pending',
        platform: 'local',
        agent_id: 'desk-1',
        generation: 1,
        url: null,
        error: null,
      },
    });
    expect((await client.send('POST', '/api/v1/sessions', request)).status).toBe(200);
    expect(await client.send('POST', '/api/v1/sessions', { ...request, platform: 'local' })).toMatchObject(
      problem(409, 'session_exists'),
    );
    await eventually(
      'running',
      async () => (await client.send('GET', '/api/v1/sessions/my-desk')).body['state'] === 'running',
    );
    expect(agent.commands.map(({ action }) => action)).toEqual(['start_session']);
    expect(agent.commands[0]?.payload).toMatchObject({ user: 'ann', template: 'desk' });
    expect(await client.send('DELETE', '/api/v1/sessions/my-desk')).toMatchObject({
      status: 202,
      body: { state: 'terminating' },
    });
    await eventually(
      'terminated',
      async () => (await client.send('GET', '/api/v1/sessions/my-desk')).body['state'] === 'terminated',
    );
    expect((await client.send('POST', '/api/v1/sessions/my-desk/stop')).body['state']).toBe('terminated');
  });

  it('are made anew by the same request once they have ended, and by no other', async () => {
    const client = await setUpAdmin(server);
    await ordinaryUser();
    const agent = await addAgent();
    const request = { template: 'desk', id: 'my-desk' };
    const state = async () => (await client.send('GET', '/api/v1/sessions/my-desk')).body['state'];
    await client.send('POST', '/api/v1/sessions', request);
    await eventually('running', async () => (await state()) === 'running');
    await client.send('DELETE', '/api/v1/sessions/my-desk');
    await eventually('terminated', async () => (await state()) === 'terminated');
    for (const other of [{ platform: 'local' }, { user: 'bob' }])
      expect(await client.send('POST', '/api/v1/sessions', { ...request, ...other })).toMatchObject(
        problem(409, 'session_exists'),
      );
    expect(await client.send('POST', '/api/v1/sessions', request)).toMatchObject({
      status: 201,
      body: { id: 'my-desk', state: 'pending', agent_id: 'desk-1', generation: 2, error: null },
    });
    await eventually('running again', async () => (await state()) === 'running');
    expect(agent.commands.map(({ action, generation }) => [action, generation])).toEqual([
      ['start_session', 1],
      ['stop_session', 1],
      ['start_session', 2],
    ]);
  });

  it('need a template, a valid id and a known user', async () => {
    const client = await setUpAdmin(server);
    await addAgent();
    const create = (body: object) => client.send('POST', '/api/v1/sessions', body);
    expect(await create({ template: 'nothing' })).toMatchObject(problem(422, 'invalid_field'));
    expect(await create({ template: 'desk', id: 'Not A Label' })).toMatchObject(
      problem(422, 'invalid_field'),
    );
    expect(await create({ template: 'desk', user: 'nobody' })).toMatchObject(problem(422, 'invalid_field'));
    expect(await create({ template: 'desk', state: 'hibernated' })).toMatchObject(
      problem(422, 'invalid_field'),
    );
    expect(await create({})).toMatchObject(problem(422, 'invalid_field'));
    expect((await client.send('GET', '/api/v1/templates')).body).toEqual([
      { name: 'desk', display_name: 'Desk', description: 'A desk', app_type: 'desktop', platform: null },
    ]);
  });

  it('are refused with the reason when no agent can take them', async () => {
    const client = await setUpAdmin(server);
    const none = await client.send('POST', '/api/v1/sessions', { template: 'desk' });
    expect(none).toMatchObject(problem(503, 'no_agents_available'));
    expect(none.body['title']).toBe('No agents available');
    await addAgent();
    const other = await client.send('POST', '/api/v1/sessions', { template: 'desk', platform: 'docker' });
    expect(other.body['detail']).toBe('desk-1: its platform is local, not docker.');
  });

  it('are seen by their user and by administrators', async () => {
    const admin = await setUpAdmin(server);
    await addAgent();
    const bob = new TestClient(server.url);
    bob.token = await ordinaryUser();
    const own = await bob.send('POST', '/api/v1/sessions', { template: 'desk' });
    expect(own.body['id']).toMatch(/^desk-[a-z0-9]{10}$/);
    await admin.send('POST', '/api/v1/sessions', { template: 'desk', id: 'of-ann' });
    await admin.send('POST', '/api/v1/sessions', { template: 'desk', id: 'for-bob', user: 'bob' });
    const ids = ({ body }: { body: unknown }) => (body as { id: string }[]).map(({ id }) => id).sort();
    expect(ids(await bob.send('GET', '/api/v1/sessions'))).toEqual([own.body['id'], 'for-bob'].sort());
    expect(ids(await admin.send('GET', '/api/v1/sessions'))).toHaveLength(3);
    for (const [method, path] of [
      ['GET', ''],
      ['POST', '/stop'],
      ['DELETE', ''],
      ['POST', '/tickets'],
    ] as const)
      expect(
        await bob.send(
          method,
          `/api/v1/sessions/of-ann${path}`,
          method === 'POST' ? { mode: 'control' } : undefined,
        ),
      ).toMatchObject(problem(404, 'session_not_found'));
    expect(await bob.send('POST', '/api/v1/sessions', { template: 'desk', user: 'ann' })).toMatchObject(
      problem(403, 'forbidden'),
    );
  });
});

describe('a control plane', () => {
  it('brings a session back that its agent does not hold any more, after a restart', async () => {
    const client = await setUpAdmin(server);
    const first = await addAgent();
    await client.send('POST', '/api/v1/sessions', { template: 'desk', id: 'my-desk' });
    await eventually('started', () => first.commands.length === 1);
    await eventually(
      'running',
      async () => (await client.send('GET', '/api/v1/sessions/my-desk')).body['state'] === 'running',
    );
    await server[Symbol.asyncDispose]();
    server = await startServer(database, { reset: false });
    const again = new TestClient(server.url);
    again.token = client.token;
    const agent = await addAgent();
    agent.report([]);
    await eventually('started again', () => agent.commands.length === 1);
    expect(agent.commands[0]).toMatchObject({ action: 'start_session', sessionId: 'my-desk', generation: 2 });
    await eventually(
      'running',
      async () => (await again.send('GET', '/api/v1/sessions/my-desk')).body['state'] === 'running',
    );
    expect(server.events).toContainEqual(
      expect.objectContaining({ type: 'session_reconciled', action: 'restarted' }),
    );
  });

  it('fails a session whose desktop ended by itself, and reports strangers without touching them', async () => {
    const client = await setUpAdmin(server);
    const agent = await addAgent();
    await client.send('POST', '/api/v1/sessions', { template: 'desk', id: 'my-desk' });
    await eventually(
      'running',
      async () => (await client.send('GET', '/api/v1/sessions/my-desk')).body['state'] === 'running',
    );
    agent.say({
      type: 'status',
      payload: { sessionId: 'my-desk', generation: 1, state: 'failed', reason: 'Out of memory.' },
    });
    await eventually(
      'failed',
      async () => (await client.send('GET', '/api/v1/sessions/my-desk')).body['state'] === 'failed',
    );
    expect((await client.send('GET', '/api/v1/sessions/my-desk')).body['error']).toEqual({
      code: 'session_failed',
      message: 'Out of memory.',
    });
    agent.report([{ sessionId: 'stranger', generation: 1, commandId: 'x', state: 'running' }]);
    await eventually('reported', () => server.events.some(({ type }) => type === 'sessions_unknown'));
    expect(agent.commands).toHaveLength(1);
  });

  it('works under a path of the host application', async () => {
    await using mounted = await startServer(database, {
      mount: '/vdi',
      podName: 'pod-c',
      pageUrl: (id, mount) => `${mount}/desks/${id}`,
    });
    const client = await setUpAdmin(mounted);
    const key = await mounted.controlPlane.agents.issueKey('desk-1');
    await fakeAgent({ url: mounted.wsUrl, agentId: 'desk-1', key });
    const { body } = await client.send('POST', '/api/v1/sessions', { template: 'desk', id: 'my-desk' });
    expect(body['url']).toBe('/vdi/desks/my-desk');
    const refreshed = await client.send('POST', '/api/v1/auth/refresh');
    expect(refreshed.headers.getSetCookie()[0]).toContain('Path=/vdi/api/v1/auth');
  });

  it('answers with url null, and reports the error, where pageUrl throws', async () => {
    const failure = new Error('no page');
    await using other = await startServer(database, {
      podName: 'pod-d',
      pageUrl: () => {
        throw failure;
      },
    });
    const client = await setUpAdmin(other);
    const key = await other.controlPlane.agents.issueKey('desk-1');
    await fakeAgent({ url: other.wsUrl, agentId: 'desk-1', key });
    const { body } = await client.send('POST', '/api/v1/sessions', { template: 'desk', id: 'my-desk' });
    expect(body['url']).toBeNull();
    expect(other.errors).toEqual([{ error: failure, where: 'pageUrl of session my-desk' }]);
  });

  it('can be closed twice, and takes nothing afterwards', async () => {
    const closing = server.controlPlane[Symbol.asyncDispose]();
    expect(server.controlPlane[Symbol.asyncDispose]()).toBe(closing);
    await closing;
    expect(server.server.listenerCount('upgrade')).toBe(0);
    expect(() => server.controlPlane.attach(server.server)).toThrow(
      expect.objectContaining({ code: 'closed' }),
    );
  });
});
