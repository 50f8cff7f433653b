import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ControlPlaneOptions, Database } from '../src/index.js';
import { memoryDatabase } from './support/memory-database.js';
import { setUpAdmin, startServer, TestClient, type TestServer } from './support/server.js';

let database: Database;
let server: TestServer;
let storage: NonNullable<ControlPlaneOptions['storage']>;

beforeAll(async () => {
  database = await memoryDatabase();
}, 60_000);
afterAll(() => database[Symbol.asyncDispose]());
beforeEach(async () => {
  storage = async () => undefined;
  server = await startServer(database, { storage: () => storage() });
});
afterEach(() => server[Symbol.asyncDispose]());

const full = async () => ({
  detail: 'The data folder /data is nearly full.',
  remedy: 'Free space in /data.',
});
const problem = expect.objectContaining({
  code: 'storage_full',
  status: 503,
  detail: 'The data folder /data is nearly full.',
  remedy: 'Free space in /data.',
}) as unknown;

/** Calls that get past the check may fail for other reasons: no such session, no such key. */
const codeOf = (answer: { body: unknown }): unknown => (answer.body as { code?: unknown } | undefined)?.code;

describe('a control plane without room to store', () => {
  it('refuses what adds to the database or starts a desktop, with folder and remedy', async () => {
    const client = await setUpAdmin(server);
    storage = full;
    for (const [method, path] of [
      ['POST', '/api/v1/sessions'],
      ['POST', '/api/v1/sessions/web-1/wake'],
      ['POST', '/api/v1/admin/agents'],
      ['POST', '/api/v1/setup'],
    ] as const)
      expect.soft(await client.send(method, path, {}), `${method} ${path}`).toMatchObject({
        status: 503,
        body: problem,
      });
    storage = async () => undefined;
    expect((await client.send('POST', '/api/v1/admin/agents', { agent_id: 'desk-1' })).status).toBe(201);
  });

  it('goes on with reading, log-in and log-out, and what makes room', async () => {
    const client = await setUpAdmin(server);
    storage = full;
    for (const [method, path] of [
      ['GET', '/api/v1/sessions'],
      ['GET', '/api/v1/agents'],
      ['POST', '/api/v1/sessions/web-1/stop'],
      ['DELETE', '/api/v1/sessions/web-1'],
      ['POST', '/api/v1/sessions/web-1/hibernate'],
      ['POST', '/api/v1/sessions/web-1/tickets'],
      ['POST', '/api/v1/agents/register'],
      ['POST', '/api/v1/auth/login'],
      ['POST', '/api/v1/auth/refresh'],
      ['POST', '/api/v1/auth/logout'],
    ] as const) {
      const answer = await client.send(method, path, method === 'GET' ? undefined : {});
      expect.soft(codeOf(answer), `${method} ${path}`).not.toBe('storage_full');
    }
  });

  it('is alive and not ready', async () => {
    storage = full;
    const client = new TestClient(server.url);
    expect((await client.send('GET', '/health')).status).toBe(200);
    expect(await client.send('GET', '/ready')).toMatchObject({ status: 503, body: problem });
    storage = async () => undefined;
    expect((await client.send('GET', '/ready')).status).toBe(200);
  });

  it('takes a check that fails as room, and reports it', async () => {
    const failure = new Error('no such file system');
    storage = async () => {
      throw failure;
    };
    expect((await new TestClient(server.url).send('GET', '/ready')).status).toBe(200);
    expect(server.errors).toContainEqual({ error: failure, where: 'checking the storage' });
  });
});
