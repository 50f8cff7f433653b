import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../src/index.js';
import { memoryDatabase } from './support/memory-database.js';
import { headersIn, problemIn, sendRaw, type RawAnswer } from './support/raw.js';
import { startServer, type ServerOptions, type TestServer } from './support/server.js';

let database: Database;
const servers: TestServer[] = [];

beforeAll(async () => {
  database = await memoryDatabase();
}, 60_000);
afterAll(async () => {
  for (const server of servers) await server[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

async function start(options: ServerOptions): Promise<{ server: TestServer; port: number }> {
  const server = await startServer(database, { reset: false, podName: `pod-${servers.length}`, ...options });
  servers.push(server);
  return { server, port: (server.server.address() as AddressInfo).port };
}

const refresh = (path: string, headers: readonly string[]): string[] => [
  `POST ${path}/api/v1/auth/refresh HTTP/1.1`,
  ...headers,
  'Content-Length: 0',
];
const viewer = (path: string, headers: readonly string[]): string[] => [
  `GET ${path}/api/v1/vnc/s HTTP/1.1`,
  ...headers,
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
];

/** Every Origin that is tried with every Host. */
const ORIGINS = [
  'http://desk.example',
  'https://desk.example',
  'https://desk.example:443',
  'https://desk.example:8443',
  'http://desk.example:8443',
  'https://desk.example.',
  'https://DESK.example',
  'https://desk.example/',
  'https://ann@desk.example',
  'https://desk.example@evil.example',
  'https://desk.example.evil.example',
  'https://evildesk.example',
  'https://evil.example',
  'https://other.example',
  'http://127.0.0.1:8080',
  'http://127.0.0.1',
  'http://[::1]:8080',
  'http://localhost:8080',
  'wss://desk.example',
  'null',
  '',
];

const FEW_ORIGINS = ['https://desk.example', 'https://evil.example', 'http://127.0.0.1:8080'];

interface Case {
  readonly title: string;
  readonly options: ServerOptions;
  readonly more: readonly string[];
  /** Accepted Hosts, and the Origins of {@link ORIGINS} that pass with each. */
  readonly accepted: Readonly<Record<string, readonly string[]>>;
}

const REFUSED_HOSTS = [
  'evil.example',
  'desk.example.',
  'desk.example.evil.example',
  'evildesk.example',
  'desk.example:8443:1',
  'ann@desk.example',
  'localhost.evil.example',
  '127.0.0.1.evil.example',
  'desk.example/vdi',
  '127.1:8080',
];

const BOTH = ['http://desk.example', 'https://desk.example'];
const HTTPS = ['https://desk.example'];
const PUBLIC = {
  'desk.example': HTTPS,
  'DESK.example:443': HTTPS,
  'desk.example:8080': HTTPS,
  '127.0.0.1:8080': HTTPS,
  '[::1]:8080': HTTPS,
  'localhost:8080': HTTPS,
};

const CASES: readonly Case[] = [
  {
    title: 'with a name alone',
    options: { hosts: 'desk.example' },
    more: [],
    accepted: {
      'desk.example': BOTH,
      'DESK.example': BOTH,
      'desk.example:443': HTTPS,
      'desk.example:80': ['http://desk.example'],
      'desk.example:8443': ['https://desk.example:8443', 'http://desk.example:8443'],
      '127.0.0.1:8080': ['http://127.0.0.1:8080'],
      '127.0.0.1': ['http://127.0.0.1'],
      '[::1]:8080': ['http://[::1]:8080'],
      'localhost:8080': ['http://localhost:8080'],
    },
  },
  {
    title: 'behind a trusted proxy that ends TLS',
    options: { hosts: 'desk.example', trustProxy: 'loopback' },
    more: ['X-Forwarded-Proto: https'],
    accepted: {
      'desk.example': HTTPS,
      'desk.example:8443': ['https://desk.example:8443'],
      '127.0.0.1:8080': [],
      '[::1]:8080': [],
    },
  },
  {
    title: 'behind a trusted proxy without TLS',
    options: { hosts: 'desk.example', trustProxy: 1 },
    more: ['X-Forwarded-Proto: http'],
    accepted: {
      'desk.example': ['http://desk.example'],
      'desk.example:8443': ['http://desk.example:8443'],
      '127.0.0.1:8080': ['http://127.0.0.1:8080'],
    },
  },
  {
    title: 'by a client that says that it is a proxy',
    options: { hosts: 'desk.example', trustProxy: '10.0.0.0/8' },
    more: ['X-Forwarded-Proto: https', 'X-Forwarded-Host: evil.example'],
    accepted: { 'desk.example': ['http://desk.example'] },
  },
  {
    title: 'with a public address',
    options: { publicUrl: 'https://desk.example' },
    more: ['X-Forwarded-Host: evil.example'],
    accepted: PUBLIC,
  },
  {
    title: 'with a public address and another site',
    options: { publicUrl: 'https://desk.example/vdi', allowedOrigins: ['https://other.example'] },
    more: ['X-Forwarded-Proto: http'],
    accepted: Object.fromEntries(
      Object.keys(PUBLIC).map((host) => [host, [...HTTPS, 'https://other.example']]),
    ),
  },
];

describe.each(CASES)('a request $title', ({ options, more, accepted }) => {
  let port: number;
  beforeAll(async () => {
    ({ port } = await start(options));
  }, 30_000);

  const tried = async (
    request: (path: string, headers: readonly string[]) => string[],
    passed: number,
  ): Promise<{ actual: string[]; expected: string[] }> => {
    const actual: string[] = [];
    const expected: string[] = [];
    for (const host of [...Object.keys(accepted), ...REFUSED_HOSTS]) {
      // A Host that is refused is refused whatever the Origin: a few are enough.
      for (const origin of [undefined, ...(accepted[host] ? ORIGINS : FEW_ORIGINS)]) {
        const origins = origin === undefined ? [] : [`Origin: ${origin}`];
        const { status } = await sendRaw(port, request('', [`Host: ${host}`, ...origins, ...more]));
        const passes = origin === undefined || accepted[host]?.includes(origin);
        actual.push(`${host} ← ${origin}: ${status}`);
        expected.push(`${host} ← ${origin}: ${!accepted[host] ? 421 : passes ? passed : 403}`);
      }
    }
    return { actual, expected };
  };

  // 401: it came as far as the login that is missing.
  it('is judged by Host and Origin, in every combination', async () => {
    const { actual, expected } = await tried(refresh, 401);
    expect(actual).toEqual(expected);
  }, 60_000);

  it('is judged alike as an upgrade', async () => {
    const { actual, expected } = await tried(viewer, 101);
    expect(actual).toEqual(expected);
  }, 60_000);
});

describe('the Host of a request', () => {
  let port: number;
  let server: TestServer;
  beforeAll(async () => {
    ({ port, server } = await start({
      hosts: ['desk.example'],
      mount: '/vdi',
      configure: (app) => app.get('/own', (_request, response) => void response.send('a page of the host')),
    }));
  }, 30_000);
  const status = async (...lines: string[]): Promise<number> => (await sendRaw(port, lines)).status;

  it('is named in the answer, with the settings that would allow it', async () => {
    const answer = await sendRaw(port, ['GET /vdi/api/v1/setup HTTP/1.1', 'Host: my-server:8080']);
    expect(answer.status).toBe(421);
    expect(headersIn(answer, 'content-type')[0]).toContain('application/problem+json');
    expect(problemIn(answer)).toMatchObject({ status: 421, code: 'host_not_allowed' });
    expect(problemIn(answer)['detail']).toContain('"my-server:8080"');
    expect(problemIn(answer)['remedy']).toMatch(/PUBLIC_URL .*ALLOWED_HOSTS/);
  });

  it('is named in a page for people, as text', async () => {
    const answer = await sendRaw(port, [
      'GET /vdi/api/v1/setup HTTP/1.1',
      'Host: <script>alert(1)</script>',
      'Accept: text/html,application/xhtml+xml',
    ]);
    expect([answer.status, headersIn(answer, 'content-type')[0]]).toEqual([421, 'text/html; charset=utf-8']);
    expect(answer.body).toContain('ALLOWED_HOSTS');
    expect(answer.body).toContain('&#60;script&#62;');
    expect(answer.body).not.toContain('<script');
  });

  it('is told to operators once a minute, and never twice at once', async () => {
    const told = () => server.events.flatMap((event) => (event.type === 'host_refused' ? [event.host] : []));
    const before = told().length;
    for (const host of ['a.example', 'a.example', 'b.example'])
      expect(await status('GET /vdi/api/v1/setup HTTP/1.1', `Host: ${host}`)).toBe(421);
    expect(told().slice(before)).toEqual(['a.example', 'b.example']);
  });

  it.each([
    [
      'of an absolute target counts too',
      421,
      ['GET http://evil.example/vdi/api/v1/setup HTTP/1.1', 'Host: 127.0.0.1'],
    ],
    [
      'counts beside that of an absolute target',
      421,
      ['GET http://127.0.0.1/vdi/api/v1/setup HTTP/1.1', 'Host: evil.example'],
    ],
    [
      'may be that of an absolute target',
      200,
      ['GET http://desk.example/vdi/api/v1/setup HTTP/1.1', 'Host: desk.example'],
    ],
    [
      'of an absolute target may not hide behind a user',
      421,
      ['GET http://desk.example@evil.example/vdi/api/v1/setup HTTP/1.1', 'Host: desk.example'],
    ],
    [
      'may not come twice',
      400,
      ['GET /vdi/api/v1/setup HTTP/1.1', 'Host: desk.example', 'Host: evil.example'],
    ],
    [
      'may not come twice the other way round',
      400,
      ['GET /vdi/api/v1/setup HTTP/1.1', 'Host: evil.example', 'Host: desk.example'],
    ],
    ['may not be missing', 421, ['GET /vdi/api/v1/setup HTTP/1.0']],
    ['may not be empty', 421, ['GET /vdi/api/v1/setup HTTP/1.1', 'Host: ']],
    ['counts for paths in capitals', 421, ['GET /VDI/API/v1/setup HTTP/1.1', 'Host: evil.example']],
    ['counts for paths that there are not', 421, ['GET /vdi/api/v1/other HTTP/1.1', 'Host: evil.example']],
    ['counts for the description', 421, ['GET /vdi/api/openapi.json HTTP/1.1', 'Host: evil.example']],
    ['is the host application’s for its own API', 404, ['GET /vdi/api/other HTTP/1.1', 'Host: evil.example']],
    ['counts for the path of a viewer', 421, ['GET /vdi/vnc/s HTTP/1.1', 'Host: evil.example']],
    ['does not count for a probe', 200, ['GET /vdi/health HTTP/1.1', 'Host: evil.example']],
    ['may be missing for a probe', 200, ['GET /vdi/ready HTTP/1.0']],
    [
      'does not count for an agent that registers',
      400,
      ['POST /vdi/api/v1/agents/register HTTP/1.1', 'Host: streamspace.svc', 'Content-Length: 0'],
    ],
    [
      'does not count for an agent that connects',
      426,
      ['GET /vdi/api/v1/agents/connect HTTP/1.1', 'Host: streamspace.svc'],
    ],
    [
      'does not count for a file of the host application below /vnc',
      404,
      ['GET /vdi/vnc/vnc.html HTTP/1.1', 'Host: own.example'],
    ],
    ['does not count for pages of the host application', 200, ['GET /own HTTP/1.1', 'Host: own.example']],
    ['does not count where there is no page', 404, ['GET /elsewhere HTTP/1.1', 'Host: own.example']],
  ])('%s: %i', async (_what, expected, lines) => {
    expect(await status(...lines)).toBe(expected);
  });

  it('does not count for the upgrade of an agent', async () => {
    const answer = await sendRaw(port, [
      'GET /vdi/api/v1/agents/connect?agent_id=a HTTP/1.1',
      'Host: streamspace.svc',
      'Connection: Upgrade',
      'Upgrade: websocket',
    ]);
    expect([answer.status, problemIn(answer)['code']]).toEqual([401, 'agent_key_missing']);
  });

  it.each([
    ['Host: desk.example', 'Host: evil.example'],
    ['Host: evil.example', 'Host: desk.example'],
  ])('may not come twice with an upgrade: %s, %s', async (...hosts) => {
    expect((await sendRaw(port, viewer('/vdi', hosts))).status).toBe(400);
  });

  it('of an upgrade counts in an absolute target too', async () => {
    const [, ...headers] = viewer('/vdi', ['Host: desk.example']);
    const lines = ['GET http://evil.example/vdi/api/v1/vnc/s HTTP/1.1', ...headers];
    expect((await sendRaw(port, lines)).status).toBe(421);
  });
});

describe('what is refused', () => {
  it('says in event and answer which setting would allow it', async () => {
    const { server, port } = await start({ hosts: ['upstream'] });
    const changed = ['Host: upstream', 'Origin: https://desk.example'];
    const answers = [
      await sendRaw(port, refresh('', changed)),
      await sendRaw(port, refresh('', changed)),
      await sendRaw(port, viewer('', changed)),
    ];
    for (const answer of answers) {
      expect(problemIn(answer)).toMatchObject({ status: 403, code: 'origin_not_allowed' });
      expect(problemIn(answer)['remedy']).toMatch(/PUBLIC_URL .*STREAMSPACE_ALLOWED_ORIGINS/);
    }
    const told = server.events.filter(({ type }) => type === 'origin_refused' || type === 'viewer_refused');
    const detail = expect.stringMatching(/"https:\/\/desk.example".* PUBLIC_URL /) as string;
    expect(told).toEqual([
      { type: 'origin_refused', origin: 'https://desk.example', detail },
      { type: 'viewer_refused', sessionId: 's', address: '127.0.0.1', code: 403, reason: detail },
    ]);
  }, 30_000);
});

describe('a path of WebSockets', () => {
  let port: number;
  beforeAll(async () => {
    ({ port } = await start({ hosts: ['desk.example'], publicUrl: 'https://desk.example' }));
  }, 30_000);
  const code = (answer: RawAnswer) => [answer.status, problemIn(answer)['code']];

  it.each([
    'GET /vnc/s HTTP/1.1',
    'GET /api/v1/vnc/s HTTP/1.1',
    'POST /api/v1/vnc/s HTTP/1.1',
    'GET /api/v1/agents/connect?agent_id=a HTTP/1.1',
    'GET /api/v1/vnc/s HTTP/1.0',
  ])('says that the upgrade did not arrive, to %s', async (line) => {
    const answer = await sendRaw(port, [line, 'Host: desk.example', 'Content-Length: 0']);
    expect(code(answer)).toEqual([426, 'upgrade_required']);
    expect(problemIn(answer)['detail']).toContain('a proxy in front does not pass it on');
    expect(problemIn(answer)['remedy']).toContain('proxy_set_header Upgrade');
    expect([headersIn(answer, 'upgrade'), headersIn(answer, 'connection')]).toEqual([
      ['websocket'],
      ['Upgrade'],
    ]);
  });

  it('says so to another upgrade too', async () => {
    const lines = ['GET /vnc/s HTTP/1.1', 'Host: desk.example', 'Connection: Upgrade', 'Upgrade: h2c'];
    expect(code(await sendRaw(port, lines))).toEqual([426, 'upgrade_required']);
  });

  it('tells a page that asks by POST whether its Origin is in the way', async () => {
    const ask = (origin: string) =>
      sendRaw(port, [
        'POST /api/v1/vnc/s HTTP/1.1',
        'Host: desk.example',
        `Origin: ${origin}`,
        'Content-Length: 0',
      ]);
    expect(code(await ask('https://elsewhere.example'))).toEqual([403, 'origin_not_allowed']);
    expect(code(await ask('https://desk.example'))).toEqual([426, 'upgrade_required']);
  });

  it('tells operators once a minute for each endpoint that upgrades do not arrive', async () => {
    const { port: own, server } = await start({ hosts: ['desk.example'] });
    for (const line of [
      'POST /api/v1/vnc/s HTTP/1.1',
      'GET /api/v1/vnc/s?ticket=secret HTTP/1.1',
      'GET /vnc/t HTTP/1.1',
      'GET /api/v1/agents/connect?agent_id=a HTTP/1.1',
    ])
      expect((await sendRaw(own, [line, 'Host: desk.example', 'Content-Length: 0'])).status).toBe(426);
    const detail = expect.stringMatching(/no Upgrade: websocket.*proxy_set_header Upgrade/) as string;
    expect(server.events.filter(({ type }) => type === 'upgrade_missing')).toEqual([
      { type: 'upgrade_missing', endpoint: 'viewer', path: '/api/v1/vnc/s', detail },
      { type: 'upgrade_missing', endpoint: 'agent', path: '/api/v1/agents/connect', detail },
    ]);
  }, 30_000);

  it('leaves a name that is no session id to the host application', async () => {
    const { port: own } = await start({ hosts: ['desk.example'] });
    const answer = await sendRaw(own, ['GET /vnc/vnc.html HTTP/1.1', 'Host: desk.example']);
    expect([answer.status, headersIn(answer, 'upgrade')]).toEqual([404, []]);
  }, 30_000);
});

describe('Strict-Transport-Security', () => {
  it.each([
    ['is that of the host application where it has set one', 'max-age=63072000; includeSubDomains'],
    ['is set where nothing has set it', undefined],
  ])(
    '%s',
    async (_what, own) => {
      const { port } = await start({
        publicUrl: 'https://desk.example',
        configure: (app) =>
          app.use((_request, response, next) => {
            if (own !== undefined) response.set('Strict-Transport-Security', own);
            next();
          }),
      });
      const answer = await sendRaw(port, ['GET /api/v1/setup HTTP/1.1', 'Host: desk.example']);
      expect(headersIn(answer, 'strict-transport-security')).toEqual([own ?? 'max-age=15552000']);
    },
    30_000,
  );
});
