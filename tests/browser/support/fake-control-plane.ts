import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { WebSocketServer } from 'ws';
import { TinyDesktop } from './tiny-desktop.js';

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};
const PAGES = /^\/(setup|login|sessions|agents|vnc-viewer\/[^/]+)?$/;
const POLICY = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'self'";

export interface FakeSession {
  id: string;
  user: string;
  template: string;
  state: string;
  platform: string;
  agent_id: string;
  generation: number;
  url: string;
  error: { code: string; message: string } | null;
  created_at: string;
  updated_at: string;
}

/**
 * The HTTP API as the pages see it, without anything behind it, and with every state at the test's hand. It serves the
 * built pages under the policy that the product serves them under.
 */
export class FakeControlPlane implements AsyncDisposable {
  readonly sessions = new Map<string, FakeSession>();
  readonly desktop = new TinyDesktop();
  setupRequired = true;
  /** Answer to a new session: its state, or `no_agents` for 503. */
  startsAs: 'running' | 'pending' | 'no_agents' = 'running';
  agents: unknown[] = [];
  /** Most sessions of one page of the list. */
  pageSize = 1_000;
  /** The `cursor` of each request for sessions; '' for a first page. */
  readonly cursors: string[] = [];
  readonly #web: string;
  readonly #server: Server;
  readonly #sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'binary' });
  readonly #tickets = new Set<string>();
  /** Passwords by name. */
  readonly #users = new Map<string, string>();
  /** As in the product, an access token outlives the log-out: pages have to forget it. */
  readonly #accessTokens = new Set<string>();
  /** Logins by the cookie that is the present one. */
  readonly #logins = new Map<string, { id: string; secret: string; name: string }>();
  /** Answers to refreshes so far. */
  readonly refreshes = { ok: 0, refused: 0 };

  private constructor(web: string) {
    this.#web = web;
    this.#server = createServer((request, response) => void this.#answer(request, response));
    this.#server.on('upgrade', (request, socket, head) => {
      const url = new URL(request.url ?? '', 'http://fake');
      this.#sockets.handleUpgrade(request, socket, head, (viewer) => {
        const session = this.sessions.get(url.pathname.split('/').at(-1) ?? '');
        if (!this.#tickets.delete(url.searchParams.get('ticket') ?? '')) viewer.close(4401, '');
        else if (session?.state !== 'running') viewer.close(4404, 'The session does not run.');
        else this.desktop.serve(viewer);
      });
    });
  }

  static async start(web: string): Promise<FakeControlPlane> {
    const fake = new FakeControlPlane(web);
    await new Promise<void>((resolve) => fake.#server.listen(0, '127.0.0.1', resolve));
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  addSession(id: string, more: Partial<FakeSession> = {}): FakeSession {
    const now = new Date().toISOString();
    const session: FakeSession = {
      id,
      user: 'ada',
      template: 'desktop',
      state: 'running',
      platform: 'local',
      agent_id: 'local-1',
      generation: 1,
      url: `/vnc-viewer/${id}`,
      error: null,
      created_at: now,
      updated_at: now,
      ...more,
    };
    this.sessions.set(id, session);
    return session;
  }

  /** The address of a session's desktop, good for one connection. */
  viewerUrl(id: string): string {
    return `${this.url.replace('http', 'ws')}/api/v1/vnc/${id}?ticket=${this.#ticket()}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.desktop.drop();
    this.#sockets.close();
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://fake');
    response.setHeader('content-security-policy', POLICY);
    if (!pathname.startsWith('/api/')) return await this.#file(pathname, response);
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const body = (text === '' ? {} : JSON.parse(text)) as Record<string, string>;
    if (request.method === 'GET') body['cursor'] = searchParams.get('cursor') ?? '';
    this.#route(`${request.method} ${pathname}`, body, request, response);
  }

  #route(
    route: string,
    body: Record<string, string>,
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    const cookie = /streamspace_refresh=([^;]+)/.exec(request.headers.cookie ?? '')?.[1] ?? '';
    const secret = request.headers['x-streamspace-login'];
    switch (route) {
      case 'GET /api/v1/setup':
        return json(response, 200, { required: this.setupRequired });
      case 'POST /api/v1/setup':
        if (!this.setupRequired) {
          return problem(response, 409, 'setup_done', 'There is an administrator already.', 'Log in.');
        }
        if (body['token'] !== 'once') {
          return problem(
            response,
            403,
            'setup_token_invalid',
            'The setup link is not valid any more.',
            'Start the server again to get a new one.',
          );
        }
        this.setupRequired = false;
        this.addUser(body['username'] ?? '', body['password'] ?? '');
        return this.#login(response, 201, body['username'] ?? '');
      case 'POST /api/v1/auth/login':
        if (body['password'] === undefined || this.#users.get(body['username'] ?? '') !== body['password']) {
          return problem(
            response,
            401,
            'bad_credentials',
            'The name or the password is wrong.',
            'Check both and try again.',
          );
        }
        return this.#login(response, 200, body['username'] ?? '');
      case 'POST /api/v1/auth/refresh': {
        const login = this.#logins.get(cookie);
        if (!login || login.secret !== secret) {
          this.refreshes.refused += 1;
          return unauthorized(response);
        }
        this.refreshes.ok += 1;
        this.#logins.delete(cookie);
        return this.#sendLogin(response, 200, login);
      }
      case 'POST /api/v1/auth/logout':
        if (this.#logins.get(cookie)?.secret === secret) this.#logins.delete(cookie);
        response.setHeader('set-cookie', 'streamspace_refresh=; Path=/api/v1/auth; Max-Age=0');
        return void response.writeHead(204).end();
    }
    const bearer = request.headers.authorization?.slice('Bearer '.length) ?? '';
    if (!this.#accessTokens.has(bearer)) return unauthorized(response);
    this.#authorized(route, body, response);
  }

  #authorized(route: string, body: Record<string, string>, response: ServerResponse): void {
    const [, id = '', action] = /^\w+ \/api\/v1\/sessions\/([^/]+)(?:\/(\w+))?$/.exec(route) ?? [];
    const session = this.sessions.get(id);
    if (id !== '' && !session) {
      return problem(
        response,
        404,
        'session_not_found',
        `There is no session ${id}.`,
        'Look at the list of your sessions.',
      );
    }
    if (session && action === undefined) return json(response, 200, session);
    if (session && action === 'tickets') {
      return json(response, 201, {
        ticket: this.#ticket(),
        expires_at: new Date(Date.now() + 30_000).toISOString(),
      });
    }
    if (session && action === 'stop') {
      session.state = 'terminated';
      this.desktop.drop(1000, 'The session was stopped.');
      return json(response, 202, session);
    }
    switch (route) {
      case 'GET /api/v1/templates':
        return json(response, 200, [
          {
            name: 'desktop',
            display_name: 'Desktop',
            description: 'A clock, a paint pad and a text box.',
            app_type: 'desktop',
            platform: 'local',
          },
          {
            name: 'browser',
            display_name: 'Web browser',
            description: 'One browser, nothing around it.',
            app_type: 'app',
            platform: 'local',
          },
        ]);
      case 'GET /api/v1/agents':
        return json(response, 200, this.agents);
      case 'GET /api/v1/sessions':
        return this.#list(body['cursor'] ?? '', response);
      case 'POST /api/v1/sessions':
        if (this.startsAs === 'no_agents') {
          return problem(
            response,
            503,
            'no_agents_available',
            'No agent is online that could run this.',
            'Start an agent and try again.',
            'No agents available',
          );
        }
        return json(
          response,
          201,
          this.addSession(body['id'] ?? randomUUID(), {
            template: body['template'] ?? '',
            state: this.startsAs,
          }),
        );
      default:
        return problem(response, 404, 'not_found', `There is no ${route}.`, '');
    }
  }

  /** Those that have not ended first; a cursor is how many sessions came before. */
  #list(cursor: string, response: ServerResponse): void {
    this.cursors.push(cursor);
    const hasEnded = ({ state }: FakeSession): boolean => state === 'terminated' || state === 'failed';
    const all = [...this.sessions.values()].sort((a, b) => Number(hasEnded(a)) - Number(hasEnded(b)));
    const end = Number(cursor) + this.pageSize;
    if (end < all.length) response.setHeader('link', `</api/v1/sessions?cursor=${end}>; rel="next"`);
    json(response, 200, all.slice(Number(cursor), end));
  }

  #ticket(): string {
    const ticket = randomUUID();
    this.#tickets.add(ticket);
    return ticket;
  }

  addUser(name: string, password: string): void {
    this.#users.set(name, password);
  }

  #login(response: ServerResponse, status: number, name: string): void {
    const login = { id: randomUUID(), secret: randomUUID(), name };
    this.#sendLogin(response, status, login, { login_secret: login.secret });
  }

  #sendLogin(
    response: ServerResponse,
    status: number,
    login: { id: string; secret: string; name: string },
    more: object = {},
  ): void {
    const [token, refreshToken] = [randomUUID(), randomUUID()];
    this.#accessTokens.add(token);
    this.#logins.set(refreshToken, login);
    response.setHeader(
      'set-cookie',
      `streamspace_refresh=${refreshToken}; Path=/api/v1/auth; HttpOnly; SameSite=Strict`,
    );
    json(response, status, {
      token,
      expires_at: new Date(Date.now() + 900_000).toISOString(),
      user: { id: `id of ${login.name}`, username: login.name, role: 'admin' },
      login_id: login.id,
      ...more,
    });
  }

  async #file(pathname: string, response: ServerResponse): Promise<void> {
    const name = PAGES.test(pathname) ? 'index.html' : pathname.slice(1);
    try {
      const bytes = await readFile(join(this.#web, name));
      response
        .writeHead(200, { 'content-type': TYPES[extname(name)] ?? 'application/octet-stream' })
        .end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  }
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function problem(
  response: ServerResponse,
  status: number,
  code: string,
  detail: string,
  remedy: string,
  title = code,
): void {
  response
    .writeHead(status, { 'content-type': 'application/problem+json' })
    .end(JSON.stringify({ type: 'about:blank', title, status, detail, code, remedy }));
}

function unauthorized(response: ServerResponse): void {
  problem(response, 401, 'not_logged_in', 'Nobody is logged in.', 'Log in.');
}
