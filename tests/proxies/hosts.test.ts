import dns from 'node:dns';
import { createAgent, type AgentEvent } from '@streamspace/agent-core';
import { memoryPlatform } from '@streamspace/agent-core/testing';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { eventually } from '../browser/support/eventually.js';
import { startProduct, type Product } from '../browser/support/product.js';
import { freePort } from '../servers/free-port.js';
import { requireNginx, startNginx } from '../servers/nginx.js';
import { ask, askInBytes, codeOf, type Answer, type Sent } from './support/raw-client.js';

/** As Kubernetes names a Service. */
const SERVICE = 'control-plane.streamspace.svc';
const PASSWORD = 'a short sentence is fine';
const nginx = requireNginx();

describe('the product without PUBLIC_URL, TRUST_PROXY and ALLOWED_HOSTS', () => {
  let product: Product;
  let token: string;

  /** A request straight to the product that names a host. */
  const askAs = (host: string, path: string, { headers, ...sent }: Sent = {}): Promise<Answer> =>
    ask({ port: product.port }, `http://127.0.0.1:${product.port}${path}`, {
      ...sent,
      headers: { host, ...headers },
    });
  const linesAbout = (text: string): string[] => product.lines().filter((line) => line.includes(text));

  beforeAll(async () => {
    product = await startProduct();
    const setupToken = new URL(product.link).searchParams.get('token');
    const body = { token: setupToken, username: 'ada', password: PASSWORD };
    const answer = await askAs('127.0.0.1', '/api/v1/setup', { method: 'POST', body });
    token = (JSON.parse(answer.text) as { token: string }).token;
  }, 150_000);
  afterAll(async () => {
    await product[Symbol.asyncDispose]();
  }, 30_000);

  it.each(['10.1.2.3:8080', '10.1.2.3', '[fd00::1]:8080', 'localhost:8080', 'desk.localhost'])(
    'answers a request with the Host %s, as probes by IP send it',
    async (host) => {
      for (const path of ['/health', '/ready', '/login', '/api/v1/setup'])
        expect([path, (await askAs(host, path)).status]).toEqual([path, 200]);
    },
  );

  it.each(['/health', '/ready'])('answers %s under any Host, and without one in HTTP/1.0', async (path) => {
    expect((await askAs('streamspace.example', path)).status).toBe(200);
    expect(await askInBytes(product.port, `GET ${path} HTTP/1.0\r\n\r\n`)).toMatch(/^HTTP\/1\.1 200 /);
  });

  it.each(['/', '/login', '/favicon.svg', '/api/v1/setup', '/no/such/page'])(
    'refuses %s under a name that it was not given, and names the Host and the setting',
    async (path) => {
      const host = `unknown.example:${product.port}`;
      const answer = await askAs(host, path);
      expect([answer.status, codeOf(answer)]).toEqual([421, 'host_not_allowed']);
      expect(answer.text).toContain('unknown.example');
      expect(answer.text).toContain('ALLOWED_HOSTS');
    },
  );

  it('says in its log which Host was refused and which setting allows it', async () => {
    await askAs('logged.example', '/login');
    await eventually(() => linesAbout('logged.example')).toEqual([expect.stringContaining('ALLOWED_HOSTS')]);
  });

  it('refuses HTTP/1.0 without a Host elsewhere, with a code', async () => {
    const answer = await askInBytes(product.port, 'GET /api/v1/setup HTTP/1.0\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 421 /);
    expect(answer).toContain('"code":"host_not_allowed"');
  });

  it('takes an agent that dials it by the name of a service', async () => {
    const headers = { authorization: `Bearer ${token}` };
    const issued = await askAs('127.0.0.1', '/api/v1/admin/agents', {
      method: 'POST',
      headers,
      body: { agent_id: 'far-away' },
    });
    const { api_key: apiKey } = JSON.parse(issued.text) as { api_key: string };
    const events: AgentEvent[] = [];
    using _resolver = resolveHere(SERVICE);
    const stop = new AbortController();
    const agent = createAgent({
      agentId: 'far-away',
      apiKey,
      controlPlaneUrl: `http://${SERVICE}:${product.port}`,
      allowInsecureControlPlane: true,
      platform: memoryPlatform(),
      onEvent: (event) => events.push(event),
    }).run(stop.signal);
    try {
      await Promise.race([agent, eventually(() => events.map(({ type }) => type)).toContain('connected')]);
      const list = await askAs('127.0.0.1', '/api/v1/agents', { headers });
      expect(JSON.parse(list.text)).toContainEqual(
        expect.objectContaining({ agent_id: 'far-away', status: 'online' }),
      );
    } finally {
      stop.abort();
      await agent.catch(() => undefined);
    }
  });

  it('serves a request that offers h2c as HTTP/1.1, with its body', async () => {
    const headers = {
      connection: 'Upgrade, HTTP2-Settings',
      upgrade: 'h2c',
      'http2-settings': 'AAMAAABkAARAAAAAAAIAAAAA',
    };
    const health = await askAs('127.0.0.1', '/health', { headers });
    expect([health.status, health.text]).toEqual([200, expect.stringContaining('healthy')]);
    const body = { username: 'ada', password: PASSWORD };
    const login = await askAs('127.0.0.1', '/api/v1/auth/login', { method: 'POST', headers, body });
    expect(login.status).toBe(200);
  });

  it.each(['/vnc/web-1', '/api/v1/vnc/web-1', '/api/v1/agents/connect?agent_id=far-away'])(
    'answers 426 where %s is asked for without Upgrade, and says why',
    async (path) => {
      const answer = await askAs('127.0.0.1', path);
      expect([answer.status, codeOf(answer)]).toEqual([426, 'upgrade_required']);
      expect(answer.headers.upgrade).toBe('websocket');
      expect(answer.text).toMatch(/proxy/i);
    },
  );

  it('warns once of X-Forwarded-For that it does not take, and names the setting', async () => {
    for (let i = 0; i < 3; i++)
      await askAs('127.0.0.1', '/login', { headers: { 'x-forwarded-for': '203.0.113.9' } });
    await eventually(() => linesAbout('X-Forwarded-For')).toHaveLength(1);
    expect(linesAbout('X-Forwarded-For')[0]).toContain('TRUST_PROXY');
  });

  describe.runIf(nginx !== undefined)('behind nginx with nothing but proxy_pass', () => {
    const origin = 'https://desktops.example';
    const behind = async (upstreamName?: string) => {
      const proxy = await startNginx(nginx!, {
        port: await freePort(),
        upstreamPort: product.port,
        prefix: '',
        prefixIs: 'passed on',
        headers: 'defaults',
        ...(upstreamName !== undefined && { upstreamName }),
      });
      return {
        ask: (path: string, sent?: Sent) => ask({ port: proxy.port }, origin + path, sent),
        [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
      };
    };

    it('says that nginx’s own Host is not allowed, and names the setting', async () => {
      await using proxy = await behind('control_plane_upstream');
      const answer = await proxy.ask('/login');
      expect([answer.status, codeOf(answer)]).toEqual([421, 'host_not_allowed']);
      expect(answer.text).toContain('control_plane_upstream');
      await eventually(() => linesAbout('control_plane_upstream')).toEqual([
        expect.stringContaining('ALLOWED_HOSTS'),
      ]);
    });

    it('says for a renewal whose Host was replaced by an address which setting is missing', async () => {
      await using proxy = await behind();
      const answer = await proxy.ask('/api/v1/auth/refresh', { method: 'POST', headers: { origin } });
      expect([answer.status, codeOf(answer)]).toEqual([403, 'origin_not_allowed']);
      expect(answer.text).toContain('PUBLIC_URL');
      await eventually(() => linesAbout(origin)).toEqual([expect.stringContaining('PUBLIC_URL')]);
    });
  });
});

/** Has this process find a name on loopback until it is disposed. */
function resolveHere(name: string): Disposable {
  const { lookup } = dns;
  const spy = vi
    .spyOn(dns, 'lookup')
    .mockImplementation(
      ((asked: string, ...rest: unknown[]) =>
        Reflect.apply(lookup, dns, [
          asked === name ? '127.0.0.1' : asked,
          ...rest,
        ]) as unknown) as typeof lookup,
    );
  return { [Symbol.dispose]: () => spy.mockRestore() };
}
