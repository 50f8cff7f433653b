import { once } from 'node:events';
import { OPERATIONS, type OperationAuth, type OperationId, type RequestId } from '@streamspace/api';
import type { BodyOf } from '@streamspace/api/schemas';
import { CLOSE } from '@streamspace/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { AccessTokens } from '../src/auth/access-tokens.js';
import { operationOf, REQUEST_IDS } from '../src/http/operations.js';
import type { Database } from '../src/index.js';
import { memoryDatabase } from './support/memory-database.js';
import { JWT_SECRET, TestClient } from './support/server.js';
import { addUser } from './support/users.js';
import { startDesk, type Desk } from './support/viewers.js';

/** A body that is right for each operation that reads one. */
const BODIES: { readonly [Id in RequestId as BodyOf<Id> extends undefined ? never : Id]: BodyOf<Id> } = {
  completeSetup: { token: 'x', username: 'eve', password: 'a long password' },
  login: { username: 'eve', password: 'a wrong password' },
  createSession: { template: 'desk' },
  createTicket: { mode: 'view' },
  issueAgentKey: { agent_id: 'desk-1' },
  registerAgent: { agentId: 'desk-1', platform: 'local' },
};

const UPGRADES = (Object.keys(OPERATIONS) as OperationId[]).filter((id) => 'upgrade' in OPERATIONS[id]);

let database: Database;
let desk: Desk;
let user: TestClient;

beforeAll(async () => {
  database = await memoryDatabase();
  desk = await startDesk(database);
  user = await addUser(database, desk.server, 'bo');
}, 60_000);
afterAll(async () => {
  await desk[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

/** Sends the request of an operation, about the administrator's session `s`. */
function send(client: TestClient, id: RequestId, sessionId = 's', headers?: Record<string, string>) {
  const { method, path } = operationOf(id);
  const body = (BODIES as Partial<Record<RequestId, unknown>>)[id];
  return client.send(method, path.replace('{id}', sessionId), body, headers);
}

/** Everything that an operation might change. */
async function content(): Promise<unknown> {
  const tables = [
    'users',
    'sessions',
    'agents',
    'agent_commands',
    'viewer_tickets',
    'templates',
    'logins',
    'setup_tokens',
    'session_events',
  ];
  const counts = await Promise.all(
    tables.map(async (table) => {
      const { rows } = await database.query<{ row: string }>(
        `select to_jsonb(t) - 'last_heartbeat' - 'active_sessions' - 'updated_at' as row from ${table} t order by 1`,
      );
      return [table, rows];
    }),
  );
  return Object.fromEntries(counts) as unknown;
}

const ANSWERS: Readonly<Record<OperationAuth, readonly [number, string] | undefined>> = {
  public: undefined,
  ticket: undefined,
  user: [401, 'not_logged_in'],
  admin: [401, 'not_logged_in'],
  agent: [401, 'agent_key_missing'],
  cookie: [401, 'not_logged_in'],
};

/** Codes that say who may not call. */
const AUTH_CODES = [
  'not_logged_in',
  'forbidden',
  'agent_key_missing',
  'agent_key_invalid',
  'origin_not_allowed',
];

/** Credentials that are worth nothing. */
const WORTHLESS: readonly [string, Record<string, string>][] = [
  ['nothing', {}],
  ['a token that is not one', { authorization: 'Bearer x.y.z' }],
  [
    'a token of another server',
    { authorization: `Bearer ${tokenOf('another secret that is as long as that')}` },
  ],
  ['a token without a signature', { authorization: `Bearer ${unsigned(tokenOf(JWT_SECRET))}` }],
  ['an agent’s key that is not one', { 'x-agent-api-key': 'f'.repeat(64) }],
  ['a cookie that is not one', { cookie: 'streamspace_refresh=x', 'x-streamspace-login': 'x' }],
];

function tokenOf(secret: string): string {
  const user = { id: '00000000-0000-4000-8000-000000000000', username: 'ann', role: 'admin' } as const;
  return new AccessTokens(secret).issue(user, 'a login').token;
}

function unsigned(token: string): string {
  const [, payload] = token.split('.');
  return `${Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')}.${payload}.`;
}

describe.each(WORTHLESS)('a stranger with %s', (_name, headers) => {
  it.each(REQUEST_IDS)('is answered by %s only where that is public', async (id) => {
    const answer = await send(new TestClient(desk.server.url), id, 's', headers);
    const expected = ANSWERS[operationOf(id).auth];
    // A log-out without a login succeeds and changes nothing.
    if (id === 'logout') expect(answer.status).toBe(204);
    else if (!expected) expect(AUTH_CODES).not.toContain(answer.body['code']);
    else if (expected[1] === 'agent_key_missing' && 'x-agent-api-key' in headers)
      expect(answer).toMatchObject({ status: 403, body: { code: 'agent_key_invalid' } });
    else expect([answer.status, answer.body['code']]).toEqual(expected);
  });
});

describe('a stranger', () => {
  it('changes nothing by any operation', async () => {
    const before = await content();
    for (const id of REQUEST_IDS) await send(new TestClient(desk.server.url), id);
    expect(await content()).toEqual(before);
  });

  it('finds nothing within /api/v1 that the table does not have', async () => {
    for (const [method, path] of [
      ['GET', '/api/v1'],
      ['GET', '/api/v1/users'],
      ['PUT', '/api/v1/sessions/s'],
      ['POST', '/api/v1/templates'],
      ['DELETE', '/api/v1/agents'],
      ['GET', '/api/v1/sessions/s/tickets'],
      ['POST', '/api/v1/sessions/s/stop/now'],
    ] as const)
      expect(await new TestClient(desk.server.url).send(method, path), `${method} ${path}`).toMatchObject({
        status: 404,
        body: { code: 'not_found' },
      });
  });

  it.each(UPGRADES)('opens nothing by %s', async (id) => {
    const path = OPERATIONS[id].path.replace('{sessionId}', 's');
    for (const query of ['', '?agent_id=desk-1', '?ticket=x']) {
      const socket = new WebSocket(desk.server.wsUrl + path + query);
      socket.on('error', () => undefined);
      const refused = once(socket, 'unexpected-response').then(([, response]) => {
        socket.terminate();
        return (response as { statusCode: number }).statusCode;
      });
      const closed = once(socket, 'close').then(([code]) => code as number);
      const ended = await Promise.race([refused, closed]);
      expect(ended, path + query).toBe(OPERATIONS[id].auth === 'agent' ? 401 : CLOSE.unauthorized);
    }
  });
});

describe('a user who is not an administrator', () => {
  const inSession = REQUEST_IDS.filter((id) => operationOf(id).path.includes('{id}'));
  const ofAdmins = REQUEST_IDS.filter((id) => operationOf(id).auth === 'admin');

  it.each(inSession)('gets from %s the same answer for another user’s session as for none', async (id) => {
    const before = await content();
    const others = await send(user, id, 's');
    const none = await send(user, id, 'x');
    expect(others).toMatchObject({ status: 404, body: { code: 'session_not_found' } });
    const text = JSON.stringify(none.body).replaceAll(/\bx\b/g, 's');
    expect(JSON.stringify(others.body)).toBe(text);
    expect(await content()).toEqual(before);
  });

  it.each(ofAdmins)('is refused by %s', async (id) => {
    const before = await content();
    expect(await send(user, id)).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    expect(await content()).toEqual(before);
  });

  it('sees no session of another user in the list', async () => {
    expect((await user.send('GET', '/api/v1/sessions')).body).toEqual([]);
  });

  it('watches no session with a ticket for another', async () => {
    const own = await desk.ticket();
    const { closed } = desk.view(own, { path: '/api/v1/vnc/x' });
    expect((await closed).code).toBe(CLOSE.unauthorized);
  });
});

describe('a stranger who varies method and path', () => {
  const closed = REQUEST_IDS.filter((id) => ['user', 'admin'].includes(operationOf(id).auth));

  it.each(closed)('gets nothing from %s', async (id) => {
    const { method, path } = operationOf(id);
    const target = path.replace('{id}', 's');
    const variants: readonly (readonly [string, string])[] = [
      [method, `${target}/`],
      [method, target.toUpperCase()],
      [method, target.replace('sessions', '%73essions').replace('agents', '%61gents')],
      [method, `${target}?_method=GET&access_token=x`],
      ...(method === 'GET' ? [['HEAD', target] as const] : []),
    ];
    for (const [verb, varied] of variants) {
      const { status } = await fetch(desk.server.url + varied, { method: verb });
      // Express does not decode the fixed parts of a path: there is no such operation then.
      expect(varied.includes('%') ? [401, 404] : [401], `${verb} ${varied}`).toContain(status);
    }
  });
});

describe('an agent', () => {
  it('shows its key before anything else of its body is looked at', async () => {
    const register = (body: unknown, headers?: Record<string, string>) =>
      new TestClient(desk.server.url).send('POST', '/api/v1/agents/register', body, headers);
    expect((await register({ agentId: 'desk-1' })).body['code']).toBe('agent_key_missing');
    const wrong = { agentId: 'desk-1', platform: 7 };
    expect((await register(wrong, { 'x-agent-api-key': 'f'.repeat(64) })).body['code']).toBe(
      'agent_key_invalid',
    );
    expect((await register({ platform: 'local' })).body['detail']).toBe(
      'agentId must be a string of 1 to 255 characters.',
    );
  });

  it('registers as no other agent', async () => {
    const key = await desk.server.controlPlane.agents.issueKey('desk-2');
    expect(
      await send(new TestClient(desk.server.url), 'registerAgent', 's', { 'x-agent-api-key': key }),
    ).toMatchObject({
      status: 403,
      body: { code: 'agent_key_invalid' },
    });
  });
});
