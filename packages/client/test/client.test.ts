import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as api from '@streamspace/client';
import { json, loginBody, problem, startServer, type TestServer } from './support.js';

const { createClient } = api;

let server: TestServer;
beforeEach(async () => {
  server = await startServer();
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
});

const session = { id: 'desk-1', state: 'pending', template: 'desktop', url: '/vnc-viewer/desk-1' };

describe('the package', () => {
  it('exports what it is meant to', () => {
    expect(Object.keys(api).toSorted()).toEqual(['ApiError', 'createClient', 'webStorageLogins']);
  });
});

describe('calls', () => {
  it('completes the setup and is logged in by that', async () => {
    server.on('GET /api/v1/setup', (_seen, response) => json(response, 200, { required: true }));
    server.on('POST /api/v1/setup', (_seen, response) => json(response, 201, loginBody('t1')));
    server.on('GET /api/v1/templates', (_seen, response) => json(response, 200, [{ name: 'desktop' }]));
    const client = createClient({ baseUrl: server.url });

    expect(await client.setup.status()).toEqual({ required: true });
    await client.setup.complete({ token: 'once', username: 'ada', password: 'correct horse' });
    expect(client.user?.username).toBe('ada');
    expect(await client.templates.list()).toEqual([{ name: 'desktop' }]);

    expect(server.seen[1]?.body).toEqual({ token: 'once', username: 'ada', password: 'correct horse' });
    expect(server.seen[2]?.headers.authorization).toBe('Bearer t1');
  });

  it('creates, lists, reads, stops, hibernates and wakes sessions, and asks for tickets', async () => {
    server.on('POST /api/v1/auth/login', (_seen, response) => json(response, 200, loginBody('t1')));
    server.on('POST /api/v1/sessions', (_seen, response) => json(response, 201, session));
    server.on('GET /api/v1/sessions', (_seen, response) => json(response, 200, [session]));
    server.on('GET /api/v1/sessions/desk-1', (_seen, response) => json(response, 200, session));
    server.on('POST /api/v1/sessions/desk-1/stop', (_seen, response) =>
      json(response, 202, { ...session, state: 'terminating' }),
    );
    for (const [verb, state] of [
      ['hibernate', 'hibernated'],
      ['wake', 'running'],
    ])
      server.on(`POST /api/v1/sessions/desk-1/${verb}`, (_seen, response) =>
        json(response, 202, { ...session, state }),
      );
    server.on('GET /api/v1/sessions/desk-1/events', (_seen, response) =>
      json(response, 200, [{ kind: 'created' }]),
    );
    server.on('POST /api/v1/sessions/desk-1/tickets', (_seen, response) =>
      json(response, 201, { ticket: 'T' }),
    );
    const client = createClient({ baseUrl: server.url });
    await client.login({ username: 'ada', password: 'correct horse' });

    expect(await client.sessions.create({ template: 'desktop', id: 'desk-1' })).toEqual(session);
    expect(await client.sessions.list()).toEqual([session]);
    expect(await client.sessions.get('desk-1')).toEqual(session);
    expect((await client.sessions.stop('desk-1')).state).toBe('terminating');
    expect((await client.sessions.hibernate('desk-1')).state).toBe('hibernated');
    expect((await client.sessions.wake('desk-1')).state).toBe('running');
    expect(await client.sessions.events('desk-1')).toEqual([{ kind: 'created' }]);
    expect(await client.sessions.ticket('desk-1')).toEqual({ ticket: 'T' });
    expect(server.seen.at(-1)?.body).toEqual({ mode: 'control' });
  });

  describe('with pages', () => {
    /** A logged-in client of a list of these pages; the cursor of each is its index. */
    const clientOf = async (pages: readonly { id: string; state?: string }[][]) => {
      server.on('POST /api/v1/auth/login', (_seen, response) => json(response, 200, loginBody('t1')));
      for (const [at, page] of pages.entries())
        for (const limit of ['', 'limit=2&'])
          server.on(
            `GET /api/v1/sessions${`?${limit}${at > 0 ? `cursor=c%2F${at}` : ''}`.replace(/[?&]$/, '')}`,
            (_seen, response) => {
              const next = `<http://elsewhere.example/other?cursor=c%2F${at + 1}>; rel="next"`;
              if (at + 1 < pages.length) response.setHeader('link', next);
              json(response, 200, page);
            },
          );
      const client = createClient({ baseUrl: server.url });
      await client.login({ username: 'ada', password: 'correct horse' });
      return client;
    };

    it('lists the sessions of all pages from the server itself, each once, as it was last', async () => {
      const [a, b, c] = [
        { id: 'a', state: 'running' },
        { id: 'b', state: 'running' },
        { id: 'c', state: 'failed' },
      ];
      const ended = { id: 'a', state: 'terminated' };
      const client = await clientOf([[a, b], [ended], [c]]);
      expect(await client.sessions.list()).toEqual([b, ended, c]);
      expect(server.seen.slice(1).every(({ headers }) => headers.authorization === 'Bearer t1')).toBe(true);
    });

    it('gives sessions page by page, with a limit', async () => {
      const client = await clientOf([[{ id: 'a' }, { id: 'b' }], [{ id: 'c' }]]);
      const pages: string[][] = [];
      for await (const page of client.sessions.pages({ limit: 2 })) pages.push(page.map(({ id }) => id));
      expect(pages).toEqual([['a', 'b'], ['c']]);
    });

    it('refuses a list of more than 100 pages in place of cutting it', async () => {
      const client = await clientOf(Array.from({ length: 102 }, (_, at) => [{ id: `s-${at}` }]));
      await expect(client.sessions.list()).rejects.toMatchObject({ code: 'list_too_long' });
      const before = server.seen.length;
      expect(before).toBe(1 + 101);
    });

    it('asks for the events after one, with a limit', async () => {
      const client = await clientOf([]);
      server.on('GET /api/v1/sessions/desk-1/events?after=7&limit=50', (_seen, response) =>
        json(response, 200, [{ id: 8 }]),
      );
      expect(await client.sessions.events('desk-1', { after: 7, limit: 50 })).toEqual([{ id: 8 }]);
    });
  });

  it('lists agents and issues their keys', async () => {
    server.on('POST /api/v1/auth/login', (_seen, response) => json(response, 200, loginBody('t1')));
    server.on('GET /api/v1/agents', (_seen, response) => json(response, 200, [{ agent_id: 'a' }]));
    server.on('POST /api/v1/admin/agents', (seen, response) =>
      json(response, 201, { ...(seen.body as object), api_key: 'k' }),
    );
    const client = createClient({ baseUrl: server.url });
    await client.login({ username: 'ada', password: 'correct horse' });

    expect(await client.agents.list()).toEqual([{ agent_id: 'a' }]);
    expect(await client.agents.issueKey('a')).toEqual({ agent_id: 'a', api_key: 'k' });
  });

  it('keeps the path that the control plane is mounted under', async () => {
    server.on('GET /vdi/api/v1/setup', (_seen, response) => json(response, 200, { required: false }));
    expect(await createClient({ baseUrl: `${server.url}/vdi` }).setup.status()).toEqual({ required: false });
  });

  it('escapes a session id that is none', async () => {
    server.on('POST /api/v1/auth/refresh', (_seen, response) => json(response, 200, loginBody('t1')));
    const client = createClient({ baseUrl: server.url });
    await expect(client.sessions.get('../x?')).rejects.toMatchObject({ status: 404 });
    expect(server.seen.at(-1)?.route).toBe('GET /api/v1/sessions/..%2Fx%3F');
  });

  it('makes viewer addresses with the scheme that fits the base address', () => {
    const plain = createClient({ baseUrl: 'http://127.0.0.1:8080' });
    expect(plain.viewerUrl('desk-1', 'a b')).toBe('ws://127.0.0.1:8080/api/v1/vnc/desk-1?ticket=a+b');
    const secure = createClient({ baseUrl: 'https://host/vdi/' });
    expect(secure.viewerUrl('desk-1', 'T')).toBe('wss://host/vdi/api/v1/vnc/desk-1?ticket=T');
  });

  it.each([
    [{ baseUrl: '/api' }, 'absolute'],
    [{ baseUrl: 'ftp://host' }, 'http: and https:'],
    [{ baseUrl: 'http://host', timeoutMs: 0 }, 'timeoutMs'],
  ])('refuses the options %j and says what is allowed', (options, words) => {
    expect(() => createClient(options)).toThrow(words);
  });
});

describe('failures', () => {
  it('carries everything that a problem document says', async () => {
    server.on('POST /api/v1/auth/login', (_seen, response) => {
      response.setHeader('retry-after', '7');
      problem(response, 503, 'no_agents_available', {
        title: 'No agents available',
        remedy: 'Start an agent.',
      });
    });
    const client = createClient({ baseUrl: server.url });
    await expect(client.login({ username: 'ada', password: 'x' })).rejects.toMatchObject({
      name: 'ApiError',
      code: 'no_agents_available',
      status: 503,
      title: 'No agents available',
      detail: 'It is no_agents_available.',
      remedy: 'Start an agent.',
      retryAfter: 7,
      shouldRetry: true,
    });
  });

  it('takes a page of a proxy for what it is', async () => {
    server.on('GET /api/v1/setup', (_seen, response) => {
      response.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad gateway</h1>');
    });
    const client = createClient({ baseUrl: server.url });
    await expect(client.setup.status()).rejects.toMatchObject({
      code: 'http_error',
      status: 502,
      shouldRetry: true,
    });

    server.on('GET /api/v1/setup', (_seen, response) => void response.end('<h1>Welcome</h1>'));
    await expect(client.setup.status()).rejects.toMatchObject({
      code: 'unexpected_answer',
      shouldRetry: false,
    });
  });

  it('says unreachable where nobody listens', async () => {
    const client = createClient({ baseUrl: server.url });
    await server[Symbol.asyncDispose]();
    await expect(client.setup.status()).rejects.toMatchObject({
      code: 'unreachable',
      status: 0,
      shouldRetry: true,
    });
    server = await startServer();
  });

  it('says unreachable where no answer comes in time', async () => {
    server.on('GET /api/v1/setup', () => undefined);
    const client = createClient({ baseUrl: server.url, timeoutMs: 20 });
    await expect(client.setup.status()).rejects.toMatchObject({ code: 'unreachable' });
  });

  it('rejects with the reason of the signal that ended the call', async () => {
    const stop = new AbortController();
    server.on('GET /api/v1/setup', () => stop.abort(new Error('enough')));
    const client = createClient({ baseUrl: server.url });
    await expect(client.setup.status({ signal: stop.signal })).rejects.toThrow('enough');
    await expect(client.setup.status({ signal: stop.signal })).rejects.toThrow('enough');
    expect(server.seen).toHaveLength(1);
  });
});
