import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../src/index.js';
import { memoryDatabase } from './support/memory-database.js';
import { fakeAgent } from './support/fake-agent.js';
import { headersIn, sendRaw, type RawAnswer } from './support/raw.js';
import {
  setUpAdmin,
  startServer,
  TestClient,
  type ServerOptions,
  type TestServer,
} from './support/server.js';

let database: Database;
const servers: TestServer[] = [];
const portOf = ({ server }: TestServer): number => (server.address() as AddressInfo).port;

beforeAll(async () => {
  database = await memoryDatabase();
  const first = await startServer(database);
  await setUpAdmin(first);
  await first[Symbol.asyncDispose]();
}, 60_000);
afterAll(async () => {
  for (const server of servers) await server[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

async function start(options: ServerOptions): Promise<TestServer> {
  const server = await startServer(database, { reset: false, podName: `pod-${servers.length}`, ...options });
  servers.push(server);
  return server;
}

/** What is sent, to the router's own paths, by a client at that address behind a proxy on this machine. */
function post(port: number, path: string, body: unknown, headers: readonly string[]): Promise<RawAnswer> {
  const text = body === undefined ? '' : JSON.stringify(body);
  return sendRaw(
    port,
    [
      `POST ${path} HTTP/1.1`,
      'Host: 127.0.0.1',
      'Content-Type: application/json',
      `Content-Length: ${text.length}`,
      ...headers,
    ],
    text,
  );
}

const RIGHT = { username: 'ann', password: 'correct horse' };
const WRONG = { username: 'ann', password: 'wrong' };
const LOGIN = '/api/v1/auth/login';
const REFRESH = '/api/v1/auth/refresh';

/** The headers of a refresh: this cookie, and the secret of the login that the answer is of. */
function withSecret(login: RawAnswer, cookies: string): string[] {
  const { login_secret } = JSON.parse(login.body) as { login_secret: string };
  const pairs = cookies
    .split('; ')
    .filter((part) => part.startsWith('streamspace_') || part.startsWith('__'));
  return [`Cookie: ${pairs.join('; ')}`, `X-Streamspace-Login: ${login_secret}`];
}

describe('the refresh cookie', () => {
  const HOST =
    /^__Host-streamspace_refresh=[\w.-]+; Path=\/; Expires=[^;]+; HttpOnly; Secure; SameSite=Strict$/;
  const under = (mount: string) =>
    new RegExp(
      `^__Secure-streamspace_refresh=[\\w.-]+; Path=${mount}/api/v1/auth; Expires=[^;]+; HttpOnly; Secure; SameSite=Strict$`,
    );
  const PLAIN =
    /^streamspace_refresh=[\w.-]+; Path=\/api\/v1\/auth; Expires=[^;]+; HttpOnly; SameSite=Strict$/;
  const BY_TLS = ['X-Forwarded-Proto: https'];

  it.each<[string, ServerOptions, string, string[], RegExp, boolean]>([
    ['is bound to the host at the root', { publicUrl: 'https://desk.example' }, '', [], HOST, true],
    [
      'is bound to its path under one',
      { publicUrl: 'https://desk.example/vdi' },
      '',
      [],
      under('/vdi'),
      true,
    ],
    [
      'has the path that browsers see',
      { publicUrl: 'https://desk.example/a/vdi', mount: '/vdi' },
      '/vdi',
      [],
      under('/a/vdi'),
      true,
    ],
    ['is plain without TLS', { publicUrl: 'http://desk.example' }, '', BY_TLS, PLAIN, false],
    ['is bound to the host where a trusted proxy ends TLS', { trustProxy: 1 }, '', BY_TLS, HOST, false],
    ['is plain where nobody is trusted', {}, '', BY_TLS, PLAIN, false],
    [
      'does not depend on the settings of the host application',
      { configure: (app) => app.set('trust proxy', true) },
      '',
      BY_TLS,
      PLAIN,
      false,
    ],
  ])('%s', async (_what, options, mount, headers, cookie, isNamed) => {
    const server = await start(options);
    const answer = await post(portOf(server), mount + LOGIN, RIGHT, headers);
    expect(headersIn(answer, 'set-cookie')).toEqual([expect.stringMatching(cookie)]);
    // An IP address has no name that browsers could keep to https.
    expect(headersIn(answer, 'strict-transport-security')).toEqual(isNamed ? ['max-age=15552000'] : []);
  });

  it('of an earlier version is read once, and replaced', async () => {
    const old = await start({});
    const login = await post(portOf(old), LOGIN, RIGHT, []);
    const [before = ''] = headersIn(login, 'set-cookie');
    const server = await start({ publicUrl: 'https://desk.example' });
    const first = await post(portOf(server), REFRESH, undefined, withSecret(login, before));
    expect(first.status).toBe(200);
    const [set = '', removed, ...more] = headersIn(first, 'set-cookie');
    expect(set).toMatch(HOST);
    expect(removed).toBe(
      'streamspace_refresh=; Path=/api/v1/auth; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Strict',
    );
    expect(more).toEqual([]);
    const next = await post(portOf(server), REFRESH, undefined, withSecret(login, set));
    expect([next.status, headersIn(next, 'set-cookie').length]).toEqual([200, 1]);
  });

  it('of the plain name does not count beside the one that is bound', async () => {
    const server = await start({ publicUrl: 'https://desk.example' });
    const login = await post(portOf(server), LOGIN, RIGHT, []);
    const [set = ''] = headersIn(login, 'set-cookie');
    const both = withSecret(login, `streamspace_refresh=tossed; ${set}`);
    expect((await post(portOf(server), REFRESH, undefined, both)).status).toBe(200);
  });
});

describe('the address of a client', () => {
  const from = (address: string) => [`X-Forwarded-For: ${address}`];

  it('behind a trusted proxy is its own in the audit, and its wrong passwords do not lock out others', async () => {
    const server = await start({
      trustProxy: 'loopback',
      configure: (app) => app.set('trust proxy', false),
    });
    const port = portOf(server);
    const wrong = await Promise.all(
      Array.from({ length: 11 }, (_, n) =>
        // Whatever the client itself writes in front does not make it another one.
        post(port, LOGIN, WRONG, from(`203.0.113.${n}, ::ffff:192.0.2.1`)),
      ),
    );
    expect(wrong.map(({ status }) => status).sort()).toEqual([...Array<number>(10).fill(401), 429]);
    expect((await post(port, LOGIN, RIGHT, from('192.0.2.1'))).status).toBe(429);
    const other = await post(port, LOGIN, RIGHT, from('192.0.2.2'));
    expect(other.status).toBe(200);

    const client = new TestClient(server.url);
    client.token = (JSON.parse(other.body) as { token: string }).token;
    const audit = (await client.send('GET', '/api/v1/admin/audit?limit=11')).body as unknown as {
      action: string;
      address: string;
    }[];
    expect(audit.map(({ action, address }) => `${action} ${address}`)).toEqual([
      'login 192.0.2.2',
      ...Array<string>(10).fill('login_refused 192.0.2.1'),
    ]);
    expect(server.events.filter(({ type }) => type === 'forwarded_header_ignored')).toEqual([]);
  }, 30_000);

  it('is the proxy’s where it is not trusted, and operators are told once', async () => {
    const server = await start({ configure: (app) => app.set('trust proxy', true) });
    const port = portOf(server);
    const before = await post(port, LOGIN, RIGHT, from('192.0.2.9'));
    await post(port, LOGIN, RIGHT, from('192.0.2.10'));
    const client = new TestClient(server.url);
    client.token = (JSON.parse(before.body) as { token: string }).token;
    const audit = (await client.send('GET', '/api/v1/admin/audit?limit=2')).body as unknown as {
      address: string;
    }[];
    expect(audit.map(({ address }) => address)).toEqual(['127.0.0.1', '127.0.0.1']);
    expect(server.events.filter(({ type }) => type === 'forwarded_header_ignored')).toEqual([
      {
        type: 'forwarded_header_ignored',
        header: 'X-Forwarded-For',
        peer: '127.0.0.1',
        isTrustSet: false,
      },
    ]);
  }, 30_000);

  it('of a viewer is told with it, by the same rule', async () => {
    const server = await start({ trustProxy: '127.0.0.0/8' });
    await sendRaw(portOf(server), [
      'GET /vnc/s HTTP/1.1',
      'Host: evil.example',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'X-Forwarded-For: 192.0.2.3',
    ]);
    expect(server.events).toContainEqual(
      expect.objectContaining({ type: 'viewer_refused', code: 421, address: '192.0.2.3' }),
    );
  }, 30_000);
});

describe('links', () => {
  it('begin with the path that browsers see, also where a proxy strips it', async () => {
    const server = await start({
      publicUrl: 'https://desk.example/a',
      mount: '',
      pageUrl: (id, mount) => `${mount}/desks/${id}`,
    });
    const client = new TestClient(server.url);
    client.token = (await client.send('POST', LOGIN, RIGHT)).body['token'] as string;
    const key = await server.controlPlane.agents.issueKey('desk-1');
    const agent = await fakeAgent({ url: server.wsUrl, agentId: 'desk-1', key });
    const { body } = await client.send('POST', '/api/v1/sessions', { template: 'desk', id: 'link' });
    expect(body['url']).toBe('/a/desks/link');
    await agent[Symbol.asyncDispose]();
  }, 30_000);

  it('lead viewers to the path that browsers see, and to the one where the server is attached', async () => {
    const server = await start({ publicUrl: 'https://desk.example/a/vdi', mount: '/vdi' });
    const upgraded = async (path: string): Promise<number> =>
      (
        await sendRaw(portOf(server), [
          `GET ${path} HTTP/1.1`,
          'Host: desk.example',
          'Connection: Upgrade',
          'Upgrade: websocket',
          'Sec-WebSocket-Version: 13',
          'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
        ])
      ).status;
    expect(await upgraded('/vdi/api/v1/vnc/s')).toBe(101);
    expect(await upgraded('/a/vdi/api/v1/vnc/s')).toBe(101);
    expect(await upgraded('/api/v1/vnc/s')).toBe(404);
    expect(await upgraded('//a/vdi/api/v1/vnc/s')).toBe(404);
  }, 30_000);
});
