import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ServerKind } from '@streamspace/api';
import express, { type Express } from 'express';
import {
  createControlPlane,
  type ControlPlane,
  type ControlPlaneEvent,
  type ControlPlaneOptions,
  type Database,
} from '../../src/index.js';
import { checkAnswer } from './contract.js';

export const JWT_SECRET = 'a secret for tests that is long enough';

export interface TestServer extends AsyncDisposable {
  readonly controlPlane: ControlPlane;
  readonly server: Server;
  /** `http://127.0.0.1:<port>` and the path where the router is mounted. */
  readonly url: string;
  /** The same for WebSockets. */
  readonly wsUrl: string;
  readonly events: ControlPlaneEvent[];
  readonly errors: { error: unknown; where: string }[];
}

export type ServerOptions = Partial<ControlPlaneOptions> & {
  mount?: string;
  reset?: boolean;
  /** What the host application has before the router. */
  configure?: (app: Express) => void;
  /** The host application. Default: an application of Express 5, which `configure` may add to. */
  host?: (controlPlane: ControlPlane, mount: string) => RequestListener;
};

/** A control plane on a real socket, with its events and errors written down. */
export async function startServer(database: Database, more: ServerOptions = {}): Promise<TestServer> {
  const { mount = '', reset = true, configure, host, ...options } = more;
  const events: ControlPlaneEvent[] = [];
  const errors: { error: unknown; where: string }[] = [];
  const start = () =>
    createControlPlane({
      database,
      podName: 'pod-a',
      jwtSecret: JWT_SECRET,
      templates: [{ name: 'desk', displayName: 'Desk', description: 'A desk' }],
      hub: { sweepIntervalMs: 50 },
      onEvent: (event) => events.push(event),
      onError: (error, where) => errors.push({ error, where }),
      ...options,
    });
  let controlPlane = await start();
  if (reset) {
    await controlPlane[Symbol.asyncDispose]();
    await database.script('truncate users, agents, sessions, setup_tokens, templates cascade');
    controlPlane = await start();
  }
  const server = createServer(host?.(controlPlane, mount) ?? expressHost(controlPlane, mount, configure));
  controlPlane.attach(server, { path: mount });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    controlPlane,
    server,
    url: `http://127.0.0.1:${port}${mount}`,
    wsUrl: `ws://127.0.0.1:${port}${mount}`,
    events,
    errors,
    async [Symbol.asyncDispose]() {
      await controlPlane[Symbol.asyncDispose]();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function expressHost(
  controlPlane: ControlPlane,
  mount: string,
  configure: ServerOptions['configure'],
): RequestListener {
  const app = express();
  configure?.(app);
  return app.use(mount || '/', controlPlane.router);
}

/** A client that speaks JSON and keeps one cookie and the secret of its login, as a page in a browser would. */
export class TestClient {
  token: string | undefined;
  cookie: string | undefined;
  secret: string | undefined;

  constructor(
    readonly url: string,
    readonly kind: ServerKind = {},
  ) {}

  async send(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; body: Record<string, unknown>; headers: Headers }> {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(this.token && { authorization: `Bearer ${this.token}` }),
        ...(this.cookie && { cookie: this.cookie }),
        ...(this.secret && { 'x-streamspace-login': this.secret }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const [set] = response.headers.getSetCookie();
    if (set) this.cookie = set.split(';')[0];
    const text = await response.text();
    const answer = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
    if (typeof answer['login_secret'] === 'string') this.secret = answer['login_secret'];
    checkAnswer(method, path, response.status, answer, this.kind);
    return { status: response.status, headers: response.headers, body: answer };
  }
}

/** A client that is logged in as the administrator of a new installation. */
export async function setUpAdmin({ controlPlane, url }: TestServer): Promise<TestClient> {
  const client = new TestClient(url);
  const token = await controlPlane.setup.issueLink();
  const { body } = await client.send('POST', '/api/v1/setup', {
    token,
    username: 'ann',
    password: 'correct horse',
  });
  client.token = body['token'] as string;
  return client;
}

/** Asks until the answer is yes, for 5 s at most. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`after 5 s still not: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
