import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { OtherUpgrades } from '../src/http/other-upgrades.js';
import type { Database } from '../src/index.js';
import { pgliteDatabase } from '../src/pglite/index.js';
import { sendRaw } from './support/raw.js';
import { startServer, type ServerOptions, type TestServer } from './support/server.js';

// scripts/test/nodes.mjs runs this file on later versions of Node too.

/** Whether Node asks before it takes an upgrade: from 22.21 and 24.9 on. */
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const asksBefore = major > 24 || (major === 24 && minor >= 9) || (major === 22 && minor >= 21);

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

/** The head of a request that offers h2c. */
const h2c = (line: string, ...more: readonly string[]): string[] => [
  `${line} HTTP/1.1`,
  'Host: 127.0.0.1',
  'Connection: Upgrade, HTTP2-Settings',
  'Upgrade: h2c',
  'HTTP2-Settings: AAMAAABk',
  ...more,
];

describe('an upgrade that is not a WebSocket, to a control plane', () => {
  let database: Database;
  let server: TestServer;
  let port: number;
  const servers: TestServer[] = [];

  async function start(options: ServerOptions): Promise<TestServer> {
    const started = await startServer(database, {
      reset: false,
      podName: `pod-${servers.length}`,
      ...options,
    });
    servers.push(started);
    return started;
  }

  beforeAll(async () => {
    database = await pgliteDatabase({ memory: true });
    server = await start({});
    port = portOf(server.server);
  }, 60_000);
  afterAll(async () => {
    for (const one of servers) await one[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  });

  const LOGIN = '/api/v1/auth/login';
  const wrongLogin = (nameLength: number): string =>
    JSON.stringify({ username: 'n'.repeat(nameLength), password: 'wrong' });
  const json = 'Content-Type: application/json';

  it('is answered by HTTP/1.1, with and without a body', async () => {
    const get = await sendRaw(port, h2c('GET /health'));
    expect([get.status, JSON.parse(get.body)]).toEqual([200, { status: 'healthy', pod_name: 'pod-0' }]);
    const body = wrongLogin(100);
    const wrong = await sendRaw(port, h2c(`POST ${LOGIN}`, json, `Content-Length: ${body.length}`), body);
    expect([wrong.status, wrong.body]).toEqual([401, expect.stringContaining('bad_credentials')]);
    expect((await sendRaw(port, h2c('GET /elsewhere'))).status).toBe(404);
  });

  it('is answered after what was asked before, with a body that comes in pieces, and the connection stays', async () => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    const done = new Promise<void>((resolve, reject) => {
      socket.on('error', reject);
      socket.on('close', resolve);
    });
    const answered = new Promise<void>((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1');
        if (text.includes('bad_credentials')) resolve();
      });
    });
    const body = wrongLogin(199);
    const chunks = [body.slice(0, 7), body.slice(7)].map(
      (part) => `${part.length.toString(16)}\r\n${part}\r\n`,
    );
    // The answer to the first takes the database's time.
    socket.write('GET /ready HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    const lines = h2c(`POST ${LOGIN}`, json, 'Transfer-Encoding: chunked');
    socket.write(`${lines.join('\r\n')}\r\n\r\n${chunks[0]}`);
    socket.write(`${chunks[1]}0\r\n\r\n`);
    // After a request whose upgrade was declined, such a Node drops the rest of the packet, as it does without us.
    if (asksBefore) await answered;
    socket.write('GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n');
    await done;
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 401', 'HTTP/1.1 200']);
    expect(text.indexOf('"ready"')).toBeLessThan(text.indexOf('bad_credentials'));
    expect(text.indexOf('bad_credentials')).toBeLessThan(text.indexOf('"healthy"'));
  });

  it('leaves nothing behind on a connection', async () => {
    const warnings: string[] = [];
    const note = ({ name }: Error): void => void warnings.push(name);
    process.on('warning', note);
    const socket = connect(port, '127.0.0.1');
    const request = `${h2c('GET /health').join('\r\n')}\r\n\r\n`;
    let answers = 0;
    await new Promise<void>((resolve, reject) => {
      socket.on('error', reject);
      socket.on('data', (chunk: Buffer) => {
        answers += chunk.toString('latin1').match(/^HTTP\/1\.1 200/gm)?.length ?? 0;
        if (answers < 30) socket.write(request);
        else resolve();
      });
      socket.write(request);
    });
    socket.destroy();
    process.off('warning', note);
    expect(warnings).toEqual([]);
  });

  it('on one of our paths reaches the listener of the host application only where Node does not ask', async () => {
    const listener = (_request: unknown, socket: { end(text: string): unknown }): void =>
      void socket.end('HTTP/1.1 418 Teapot\r\nConnection: close\r\n\r\n');
    server.server.on('upgrade', listener);
    const answer = await sendRaw(port, h2c('GET /health'));
    server.server.off('upgrade', listener);
    expect(answer.status).toBe(asksBefore ? 200 : 418);
  });

  it.each([
    ['', '/health', 200],
    ['', '/api/v1/vnc/s', 426],
    ['/vdi', '/vdi/health', 200],
    ['/vdi', '/vdi/elsewhere', 404],
  ])(
    'is answered as HTTP/1.1 below the mount "%s" where the host application listens for upgrades: %s',
    async (mount, path, status) => {
      const own = await start({ mount });
      own.server.on('upgrade', () => undefined);
      expect((await sendRaw(portOf(own.server), h2c(`GET ${path}`))).status).toBe(status);
    },
    30_000,
  );

  it('is left to the listener of the host application on its paths', async () => {
    const own = await start({ mount: '' });
    own.server.on('upgrade', (_request, socket) =>
      socket.end('HTTP/1.1 299 Own\r\nContent-Length: 0\r\n\r\n'),
    );
    expect((await sendRaw(portOf(own.server), h2c('GET /own'))).status).toBe(299);
  }, 30_000);

  it('is answered once where two control planes share the server', async () => {
    const one = await start({ mount: '/one' });
    const second = await start({ mount: '/one' });
    second.controlPlane.attach(one.server, { path: '/one' });
    let requests = 0;
    one.server.on('request', () => (requests += 1));
    const statuses: number[] = [];
    for (const path of ['/one/health', '/elsewhere'])
      statuses.push((await sendRaw(portOf(one.server), h2c(`GET ${path}`))).status);
    expect({ statuses, requests }).toEqual({ statuses: [200, 404], requests: 2 });
  }, 30_000);
});

describe('OtherUpgrades', () => {
  let server: Server;
  /** Paths of the requests that reached the listener for upgrades. */
  let taken: string[];
  /** Who serves what was taken; the host application answers the rest with 299. */
  let serving: OtherUpgrades[];

  beforeEach(async () => {
    taken = [];
    serving = [];
    server = createServer((request, response) => response.end(request.url));
    server.on('upgrade', (request, socket, head) => {
      taken.push(request.url ?? '');
      const ours = serving.find(() => request.url?.startsWith('/ours'));
      if (ours) ours.serve(request, socket, head);
      else socket.end('HTTP/1.1 299 Own\r\nContent-Length: 0\r\n\r\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(async () => {
    for (const one of serving) one.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const serve = (): OtherUpgrades => {
    const others = new OtherUpgrades(server, ({ url }) => url?.startsWith('/ours') ?? false);
    serving.push(others);
    return others;
  };
  const stop = (others: OtherUpgrades): void => {
    others.close();
    serving = serving.filter((one) => one !== others);
  };
  const status = async (path: string): Promise<number> =>
    (await sendRaw(portOf(server), h2c(`GET ${path}`))).status;

  it('has Node take only the requests of others, where Node asks before', async () => {
    serve();
    expect([await status('/ours'), await status('/own')]).toEqual([200, 299]);
    expect(taken).toEqual(asksBefore ? ['/own'] : ['/ours', '/own']);
  });

  it('leaves the server as it was after it is closed', async () => {
    const callbackOf = (): unknown => Reflect.get(server, 'shouldUpgradeCallback');
    const before = callbackOf();
    expect(typeof before).toBe(asksBefore ? 'function' : 'undefined');
    const others = serve();
    stop(others);
    expect([callbackOf(), server.listenerCount('request')]).toEqual([before, 1]);
    expect(await status('/ours')).toBe(299);
  });

  it('leaves upgrades to others after it is closed, also when a later one was closed after it', async () => {
    const [first, second] = [serve(), serve()];
    stop(first);
    expect(await status('/ours')).toBe(200);
    stop(second);
    expect(await status('/ours')).toBe(299);
  });
});
