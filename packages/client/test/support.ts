import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as the server saw it. */
export interface Seen {
  readonly route: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
}

/** Answers one route; a handler may keep the answer waiting by not settling. */
export type Handler = (seen: Seen, response: ServerResponse) => void | Promise<void>;

export interface TestServer extends AsyncDisposable {
  readonly url: string;
  readonly seen: Seen[];
  on(route: string, handler: Handler): void;
}

/** A real HTTP server on a free port with one handler for each `METHOD /path`. */
export async function startServer(): Promise<TestServer> {
  const handlers = new Map<string, Handler>();
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      let text = '';
      for await (const chunk of request) text += String(chunk);
      const one: Seen = {
        route: `${request.method} ${request.url}`,
        headers: request.headers,
        body: text === '' ? undefined : (JSON.parse(text) as unknown),
      };
      seen.push(one);
      const handler = handlers.get(one.route);
      if (handler) await handler(one, response);
      else problem(response, 404, 'not_found');
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    on: (route, handler) => handlers.set(route, handler),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

export function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

export function problem(response: ServerResponse, status: number, code: string, more: object = {}): void {
  response.writeHead(status, { 'content-type': 'application/problem+json' }).end(
    JSON.stringify({
      type: 'about:blank',
      title: code,
      status,
      detail: `It is ${code}.`,
      code,
      remedy: '',
      ...more,
    }),
  );
}

/** Body of a login whose token lives for `lifeMs`. */
export function loginBody(token: string, lifeMs = 15 * 60_000) {
  return {
    token,
    expires_at: new Date(Date.now() + lifeMs).toISOString(),
    user: { id: 'u1', username: 'ada', role: 'admin' },
  };
}
