import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ControlPlane, Database } from '../src/index.js';
import { memoryDatabase } from './support/memory-database.js';
import { connectHost, express4Host, express5Host, type Host, type Seen } from './support/hosts.js';
import {
  setUpAdmin,
  startServer,
  type ServerOptions,
  type TestClient,
  type TestServer,
} from './support/server.js';

let database: Database;

beforeAll(async () => {
  database = await memoryDatabase();
}, 60_000);
afterAll(() => database[Symbol.asyncDispose]());

interface Case {
  readonly title: string;
  readonly mount: string;
  readonly host?: Host;
  readonly parsesBodies?: boolean;
}

const EXPRESS: readonly Case[] = [
  ['Express 4', express4Host] as const,
  ['Express 5', express5Host] as const,
].flatMap(([name, host]) => [
  { title: `${name} at the root`, mount: '', host },
  { title: `${name} under a path`, mount: '/a/vdi', host },
  { title: `${name} that parses bodies`, mount: '/vdi', host, parsesBodies: true },
]);
const CONNECT: readonly Case[] = [
  { title: 'Connect at the root', mount: '', host: connectHost },
  { title: 'Connect under a path', mount: '/vdi', host: connectHost },
];
const BARE: Case = { title: 'a bare server', mount: '' };

const createListener = ({ router }: ControlPlane): RequestListener => router;

describe.each([...EXPRESS, ...CONNECT, BARE])('the router in $title', (given) => {
  const { mount, host, parsesBodies = false } = given;
  const log: Seen[] = [];
  let server: TestServer;
  let admin: TestClient;
  beforeAll(async () => {
    const inHost: ServerOptions = {
      mount,
      host: (controlPlane) =>
        host?.({ controlPlane, mount, parsesBodies, log }) ?? createListener(controlPlane),
    };
    server = await startServer(database, inHost);
    admin = await setUpAdmin(server);
  }, 30_000);
  afterAll(() => server[Symbol.asyncDispose]());

  it('sets up, and keeps a browser logged in by a cookie of its path', async () => {
    expect(admin.token).toEqual(expect.any(String));
    const { status, headers } = await admin.send('POST', '/api/v1/auth/refresh');
    expect(status).toBe(200);
    expect(headers.get('set-cookie')).toContain(`; Path=${mount}/api/v1/auth;`);
  });

  it('answers with the settings of the API', async () => {
    const { status, headers } = await admin.send('GET', '/api/v1/sessions');
    expect(status).toBe(200);
    expect(headers.get('x-powered-by')).toBeNull();
    expect(headers.get('cache-control')).toBe('no-store');
    const text = await (await fetch(`${server.url}/api/v1/setup`)).text();
    expect(text).toBe('{"required":false}');
    const { body } = await admin.send('GET', '/api/openapi.json');
    expect(body['servers']).toEqual([{ url: mount || '/' }]);
  });

  it('reads a query as the contract says, whatever parser the host has', async () => {
    const at = '/api/v1/sessions/none/events';
    expect((await admin.send('GET', `${at}?limit[a]=x&limit=2`)).status).toBe(404);
    expect((await admin.send('GET', `${at}?limit=x`)).status).toBe(422);
  });

  it('answers unknown paths of the API with 404', async () => {
    expect(await admin.send('GET', '/api/v1/nothing')).toMatchObject({
      status: 404,
      body: { code: 'not_found', detail: `There is no GET ${mount}/api/v1/nothing.` },
    });
  });

  it('answers a viewer that comes without an upgrade with 426', async () => {
    const response = await fetch(`${server.url}/vnc/desk-1`);
    expect(response.status).toBe(426);
    expect(response.headers.get('upgrade')).toBe('websocket');
    await response.text();
  });

  // A bare server has nothing beside the router.
  if (!host) return;
  const atHost = (url: string, query: unknown = {}): Partial<Seen> => ({
    url,
    originalUrl: url,
    user: 'of the host',
    locals: { theme: 'dark' },
    isHosts: true,
    ...(host !== connectHost && { baseUrl: '', query, ip: '192.0.2.7' }),
  });
  const get = (path: string): Promise<Response> => {
    const { port } = server.server.address() as AddressInfo;
    return fetch(`http://127.0.0.1:${port}${path}`, { headers: { 'x-forwarded-for': '192.0.2.7' } });
  };

  it('gives the host its requests back', async () => {
    for (const path of ['/', '/api/other', `${mount}/other`]) {
      const response = await get(`${path}?a[b]=c`);
      expect(response.status).toBe(200);
      expect(await response.json()).toEqual(atHost(`${path}?a[b]=c`, { a: { b: 'c' } }));
    }
  });

  it('leaves the host its own errors', async () => {
    const response = await get('/broken');
    expect(response.status).toBe(418);
    expect(await response.json()).toEqual({ error: 'Error: in the host', ...atHost('/broken') });
  });

  it('gives the host a request back that it has answered, for the access log', async () => {
    log.length = 0;
    const path = `${mount}/health?a[b]=c`;
    await (await get(path)).text();
    const { originalUrl, user, locals, isHosts, query, ip } = atHost(path, { a: { b: 'c' } });
    await expect.poll(() => log).toMatchObject([{ originalUrl, user, locals, isHosts, query, ip }]);
  });
});

describe('a bare server', () => {
  it('answers what is not of the API with 404, as a problem', async () => {
    await using server = await startServer(database, { host: createListener });
    for (const path of ['/', '/api/other?token=secret']) {
      const response = await fetch(server.url + path);
      expect(response.status).toBe(404);
      expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
      const detail = `There is no GET ${path.replace(/\?.*/, '')}.`;
      expect(await response.json()).toMatchObject({ status: 404, code: 'not_found', detail });
    }
  });

  it('takes the router as its listener, and the guard before its own pages', async () => {
    await using planes = await startServer(database, { hosts: 'desk.example' });
    const { router, guard } = planes.controlPlane;
    const server = createServer(router).listen(0, '127.0.0.1');
    const guarded = createServer((request, response) =>
      guard(request, response, () => void response.end('a page')),
    ).listen(0, '127.0.0.1');
    await Promise.all([server, guarded].map((one) => once(one, 'listening')));
    const at = (one: typeof server) => `http://127.0.0.1:${(one.address() as AddressInfo).port}`;
    expect((await fetch(`${at(server)}/health`)).status).toBe(200);
    expect(await (await fetch(at(guarded))).text()).toBe('a page');
    for (const one of [server, guarded]) {
      one.closeAllConnections();
      one.close();
    }
  });
});
