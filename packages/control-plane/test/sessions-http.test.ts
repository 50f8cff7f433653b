import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../src/index.js';
import { memoryDatabase } from './support/memory-database.js';
import { DatabaseError } from '../src/stores/database-error.js';
import { fakeAgent, type FakeAgent } from './support/fake-agent.js';
import { eventually, setUpAdmin, startServer, TestClient, type TestServer } from './support/server.js';
import { addUser as addUserOf } from './support/users.js';

let database: Database;
let server: TestServer;

beforeAll(async () => {
  database = await memoryDatabase();
}, 30_000);
afterAll(() => database[Symbol.asyncDispose]());
beforeEach(async () => {
  server = await startServer(database, { capacityWaitMs: 60_000, maxSessionsPerUser: 3 });
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
});

async function addAgent(
  options: Partial<Parameters<typeof fakeAgent>[0]> & { registration?: Record<string, unknown> } = {},
): Promise<FakeAgent> {
  const { registration = { metadata: { isolated: true } }, agentId = 'desk-1', ...more } = options;
  const key = await server.controlPlane.agents.issueKey(agentId);
  await new TestClient(server.url).send(
    'POST',
    '/api/v1/agents/register',
    { agentId, platform: 'local', ...registration },
    { 'x-agent-api-key': key },
  );
  return fakeAgent({ url: server.wsUrl, agentId, key, ...more });
}

const addUser = (username: string): Promise<TestClient> => addUserOf(database, server, username);

const list = (answer: { body: unknown }) => answer.body as Record<string, unknown>[];
const refused = (status: number, code: string) => ({
  status,
  body: expect.objectContaining({ code, status }) as Record<string, unknown>,
});

async function running(client: TestClient, id: string): Promise<void> {
  await client.send('POST', '/api/v1/sessions', { template: 'desk', id });
  await becomes(client, id, 'running');
}

const becomes = (client: TestClient, id: string, state: string): Promise<void> =>
  eventually(`${id} is ${state}`, async () => {
    const { body } = await client.send('GET', `/api/v1/sessions/${id}`);
    return body['state'] === state;
  });

describe('hibernating and waking', () => {
  it('go through the agent, and are refused in the wrong state', async () => {
    const client = await setUpAdmin(server);
    const agent = await addAgent();
    await running(client, 'desk-a');
    const ask = (what: string) => client.send('POST', `/api/v1/sessions/desk-a/${what}`);
    const early = await ask('wake');
    expect(early.status).toBe(202);
    expect((await ask('hibernate')).status).toBe(202);
    await becomes(client, 'desk-a', 'hibernated');
    expect(await ask('wake')).toMatchObject({ status: 202, body: { state: 'pending', generation: 1 } });
    await becomes(client, 'desk-a', 'running');
    expect(agent.commands.map(({ action }) => action)).toEqual([
      'start_session',
      'hibernate_session',
      'wake_session',
    ]);
    await client.send('DELETE', '/api/v1/sessions/desk-a');
    await becomes(client, 'desk-a', 'terminated');
    const late = await ask('hibernate');
    expect(late).toMatchObject(refused(409, 'session_state'));
    expect(late.body['detail']).toBe(
      'Session desk-a is terminated; only one that is running can be hibernated.',
    );
    expect(await ask('wake')).toMatchObject(refused(409, 'session_state'));
    const stranger = await addUser('bo');
    expect(await stranger.send('POST', '/api/v1/sessions/desk-a/wake')).toMatchObject(
      refused(404, 'session_not_found'),
    );
  });

  it('lose no desktop where they fail, and say why', async () => {
    const client = await setUpAdmin(server);
    const agent = await addAgent({ ignore: ({ action }) => action !== 'start_session' });
    await running(client, 'desk-a');
    const told = (action: string) => agent.commands.findLast((command) => command.action === action);
    const ask = async (what: 'hibernate' | 'wake'): Promise<string> => {
      const before = agent.commands.length;
      expect((await client.send('POST', `/api/v1/sessions/desk-a/${what}`)).status).toBe(202);
      await eventually(`${what} came`, () => agent.commands.length > before);
      return told(`${what}_session`)!.commandId;
    };
    const fail = (commandId: string, code: string) =>
      agent.say({ type: 'failed', payload: { commandId, code, error: 'Not now.' } });
    const hasFailed = (code: string) =>
      eventually(`${code} is shown`, async () => {
        const { body } = await client.send('GET', '/api/v1/sessions/desk-a');
        return (body['error'] as { code?: string } | null)?.code === code;
      });
    fail(await ask('hibernate'), 'platform_unavailable');
    await hasFailed('platform_unavailable');
    await becomes(client, 'desk-a', 'running');
    const commandId = await ask('hibernate');
    agent.say({ type: 'complete', payload: { commandId } });
    await becomes(client, 'desk-a', 'hibernated');
    fail(await ask('wake'), 'capacity_exhausted');
    await hasFailed('capacity_exhausted');
    await becomes(client, 'desk-a', 'hibernated');
    agent.report([{ sessionId: 'desk-a', generation: 1, commandId, state: 'hibernated' }]);
    const again = await ask('wake');
    agent.say({ type: 'complete', payload: { commandId: again } });
    await becomes(client, 'desk-a', 'running');
    expect(told('stop_session')).toBeUndefined();
    expect(server.controlPlane.counters().duplicateResults).toBe(0);
    agent.say({ type: 'complete', payload: { commandId: again } });
    await eventually('counted', () => server.controlPlane.counters().duplicateResults === 1);
  });

  it('are followed where an agent hibernates a session by itself', async () => {
    const client = await setUpAdmin(server);
    const agent = await addAgent();
    await running(client, 'desk-a');
    agent.say({ type: 'status', payload: { sessionId: 'desk-a', generation: 1, state: 'hibernated' } });
    await becomes(client, 'desk-a', 'hibernated');
  });
});

describe('a timeline', () => {
  it('has what the control plane did and what the agent told, in pages', async () => {
    const client = await setUpAdmin(server);
    const agent = await addAgent();
    await running(client, 'desk-a');
    agent.say({
      type: 'session_event',
      payload: {
        sessionId: 'desk-a',
        generation: 1,
        kind: 'idle',
        message: 'Idle for 5 min.',
        data: { s: 300 },
      },
    });
    const path = '/api/v1/sessions/desk-a/events';
    await eventually('the event is there', async () => list(await client.send('GET', path)).length === 3);
    const events = list(await client.send('GET', path));
    expect(events.map(({ kind }) => kind)).toEqual(['created', 'state', 'idle']);
    expect(events[2]).toEqual({
      id: expect.any(Number) as number,
      generation: 1,
      kind: 'idle',
      message: 'Idle for 5 min.',
      data: { s: 300 },
      at: expect.stringMatching(/Z$/) as string,
    });
    const second = await client.send('GET', `${path}?limit=1&after=${String(events[0]?.['id'])}`);
    expect(list(second)).toEqual([events[1]]);
    expect(await client.send('GET', `${path}?limit=0`)).toMatchObject(refused(422, 'invalid_field'));
    const stranger = await addUser('bo');
    expect(await stranger.send('GET', path)).toMatchObject(refused(404, 'session_not_found'));
    expect(server.events.filter(({ type }) => type === 'session_event')).toHaveLength(1);
  });
});

describe('waiting for capacity', () => {
  it('ends when an agent comes, without another request', async () => {
    const client = await setUpAdmin(server);
    const body = { template: 'desk', id: 'desk-a' };
    expect(await client.send('POST', '/api/v1/sessions', body)).toMatchObject(
      refused(503, 'no_agents_available'),
    );
    const waiting = await client.send('POST', '/api/v1/sessions', { ...body, waitForCapacity: true });
    expect(waiting).toMatchObject({
      status: 201,
      body: { state: 'pending', agent_id: null, platform: 'any' },
    });
    expect(await client.send('POST', '/api/v1/sessions', { ...body, waitForCapacity: true })).toMatchObject({
      status: 200,
    });
    await addAgent();
    await becomes(client, 'desk-a', 'running');
    expect(server.events.map(({ type }) => type)).toEqual(
      expect.arrayContaining(['session_waiting', 'session_placed']),
    );
    expect(await client.send('POST', '/api/v1/sessions', { ...body, waitForCapacity: 'yes' })).toMatchObject(
      refused(422, 'invalid_field'),
    );
  });
});

describe('placement', () => {
  it('keeps users off agents that do not isolate sessions, labels and quota', async () => {
    const admin = await setUpAdmin(server);
    await addAgent({
      registration: { region: 'north', metadata: { isolated: false, labels: { gpu: 'a100' } } },
    });
    const user = await addUser('bo');
    const ask = (client: TestClient, more: object = {}) =>
      client.send('POST', '/api/v1/sessions', { template: 'desk', ...more });
    const not = await ask(user);
    expect(not).toMatchObject(refused(503, 'no_agents_available'));
    expect(not.body['detail']).toContain('only administrators may use it');
    expect(await ask(admin, { user: 'bo' })).toMatchObject(refused(503, 'no_agents_available'));
    expect(await ask(admin, { region: 'north', labels: { gpu: 'a100' } })).toMatchObject({ status: 201 });
    expect((await ask(admin, { labels: { gpu: 'none' } })).body['detail']).toContain(
      'its label gpu is a100, not none',
    );
    expect(await ask(admin, { labels: { gpu: 1 } })).toMatchObject(refused(422, 'invalid_field'));
    await ask(admin);
    await ask(admin);
    expect(await ask(admin)).toMatchObject(refused(403, 'quota_exceeded'));
  });
});

describe('the audit', () => {
  it('has logins, keys, and what administrators do to the sessions of others', async () => {
    const admin = await setUpAdmin(server);
    await addAgent();
    const user = await addUser('bo');
    await running(user, 'desk-bo');
    const wrong = { username: 'ann', password: 'not this one' };
    await admin.send('POST', '/api/v1/auth/login', wrong);
    await admin.send('POST', '/api/v1/auth/login', { username: 'ann', password: 'correct horse' });
    await admin.send('POST', '/api/v1/admin/agents', { agent_id: 'desk-9' });
    await admin.send('POST', '/api/v1/sessions/desk-bo/tickets', { mode: 'control' });
    await admin.send('DELETE', '/api/v1/sessions/desk-bo');
    const path = '/api/v1/admin/audit';
    const entries = list(await admin.send('GET', path)).reverse();
    const told = entries.slice(-6).map(({ actor, action, target }) => [actor, action, target]);
    expect(told).toEqual([
      ['ann', 'admin_created', null],
      ['ann', 'login_refused', null],
      ['ann', 'login', null],
      ['ann', 'agent_key_issued', 'desk-9'],
      ['ann', 'session_viewed', 'desk-bo'],
      ['ann', 'session_stopped', 'desk-bo'],
    ]);
    expect(entries.at(-1)).toMatchObject({
      data: { user: 'bo' },
      address: expect.stringContaining('127.0.0.1') as string,
    });
    expect(JSON.stringify(entries)).not.toContain('not this one');
    expect(await user.send('GET', path)).toMatchObject(refused(403, 'forbidden'));
    const newest = list(await admin.send('GET', `${path}?limit=1`));
    expect(newest).toEqual([entries.at(-1)]);
    const older = list(await admin.send('GET', `${path}?limit=1&before=${String(newest[0]?.['id'])}`));
    expect(older).toEqual([entries.at(-2)]);
  });
});

describe('while the database is away', () => {
  it('every request that needs it is answered with 503 and when to come again, and agents stay online', async () => {
    const away: { is: boolean } = { is: false };
    const guard = <A extends unknown[], R>(call: (...args: A) => Promise<R>) => {
      return async (...args: A): Promise<R> => {
        if (away.is) throw new DatabaseError('unavailable', 'connect ECONNREFUSED');
        return call(...args);
      };
    };
    const flaky: Database = {
      query: guard(database.query.bind(database)) as Database['query'],
      script: guard(database.script.bind(database)),
      transaction: guard(database.transaction.bind(database)) as Database['transaction'],
      [Symbol.asyncDispose]: async () => undefined,
    };
    await server[Symbol.asyncDispose]();
    server = await startServer(flaky, { hub: { heartbeatTimeoutMs: 400, heartbeatIntervalMs: 100 } });
    const client = await setUpAdmin(server);
    const key = await server.controlPlane.agents.issueKey('desk-1');
    const agent = await fakeAgent({ url: server.wsUrl, agentId: 'desk-1', key });
    const beat = setInterval(
      () => agent.say({ type: 'heartbeat', payload: { status: 'online', activeSessions: 0 } }),
      50,
    );
    try {
      await running(client, 'desk-a');
      away.is = true;
      const awaySince = performance.now();
      const withKey = { 'x-agent-api-key': key };
      const requests: [string, string, unknown?, Record<string, string>?][] = [
        ['GET', '/ready'],
        ['GET', '/api/v1/setup'],
        ['POST', '/api/v1/setup', { token: 't', username: 'x', password: 'long enough 1' }],
        ['POST', '/api/v1/auth/login', { username: 'ann', password: 'correct horse' }],
        ['POST', '/api/v1/auth/refresh'],
        ['POST', '/api/v1/auth/logout'],
        ['GET', '/api/v1/templates'],
        ['GET', '/api/v1/sessions'],
        ['POST', '/api/v1/sessions', { template: 'desk' }],
        ['GET', '/api/v1/sessions/desk-a'],
        ['GET', '/api/v1/sessions/desk-a/events'],
        ['POST', '/api/v1/sessions/desk-a/hibernate'],
        ['POST', '/api/v1/sessions/desk-a/wake'],
        ['POST', '/api/v1/sessions/desk-a/stop'],
        ['DELETE', '/api/v1/sessions/desk-a'],
        ['POST', '/api/v1/sessions/desk-a/tickets', { mode: 'control' }],
        ['GET', '/api/v1/agents'],
        ['GET', '/api/v1/admin/audit'],
        ['POST', '/api/v1/admin/agents', { agent_id: 'desk-2' }],
        ['POST', '/api/v1/agents/register', { agentId: 'desk-1', platform: 'local' }, withKey],
      ];
      for (const [method, path, body, headers] of requests) {
        const answer = await client.send(method, path, body, headers);
        expect(answer, `${method} ${path}`).toMatchObject(refused(503, 'database_unavailable'));
        expect(answer.headers.get('retry-after'), `${method} ${path}`).toBe('2');
      }
      const silentFor = () => performance.now() - awaySince;
      // Longer than an agent may be silent, so that its last heartbeat in the database is too old by now.
      await eventually('the database was away for long', () => silentFor() > 1_000);
      expect(server.errors.map(({ where }) => where)).toContain('writing heartbeats');
      expect(server.controlPlane.hub.agents().map(({ agentId }) => agentId)).toEqual(['desk-1']);
      expect(server.events.filter(({ type }) => type === 'agent_offline')).toEqual([]);
      away.is = false;
      expect(list(await client.send('GET', '/api/v1/agents'))).toMatchObject([
        { agent_id: 'desk-1', status: 'online' },
      ]);
      expect(await client.send('GET', '/ready')).toMatchObject({ status: 200 });
      const upgrade = await client.send('POST', '/api/v1/sessions', { template: 'desk' });
      expect(upgrade.status).toBe(201);
    } finally {
      clearInterval(beat);
      away.is = false;
    }
  });
});
