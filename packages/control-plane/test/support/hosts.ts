import { IncomingMessage, ServerResponse, type RequestListener } from 'node:http';
import express from 'express';
import express4 from 'express4';
import type { ControlPlane } from '../../src/index.js';

/** What a host application sees of a request. */
export interface Seen {
  readonly url: unknown;
  readonly originalUrl: unknown;
  readonly baseUrl: unknown;
  readonly query: unknown;
  readonly user: unknown;
  readonly locals: unknown;
  /** By the host's settings for proxies. */
  readonly ip: unknown;
  /** Whether both objects have the host's prototypes. */
  readonly isHosts: boolean;
}

export interface HostOptions {
  readonly controlPlane: ControlPlane;
  readonly mount: string;
  readonly parsesBodies: boolean;
  /** What an access log has of each request, when its response has been sent. */
  readonly log: Seen[];
}

export type Host = (options: HostOptions) => RequestListener;

/** Settings that would change what the API answers. */
const SETTINGS = {
  'trust proxy': true,
  'query parser': 'extended',
  etag: 'strong',
  'json spaces': 4,
  'json escape': true,
};

export const express5Host: Host = ({ controlPlane, mount, parsesBodies, log }) => {
  const app = express();
  for (const [name, value] of Object.entries(SETTINGS)) app.set(name, value);
  const { enter, page, fail, failed } = handlers(app, log);
  if (parsesBodies) app.use(express.json());
  app.use(enter);
  app.use(mount || '/', controlPlane.router);
  app.use(controlPlane.guard);
  app.get(['/', '/api/other', `${mount}/other`], page);
  app.get('/broken', fail);
  return app.use(failed);
};

export const express4Host: Host = ({ controlPlane, mount, parsesBodies, log }) => {
  const app = express4();
  for (const [name, value] of Object.entries(SETTINGS)) app.set(name, value);
  const { enter, page, fail, failed } = handlers(app, log);
  if (parsesBodies) app.use(express4.json());
  app.use(enter);
  app.use(mount || '/', controlPlane.router);
  app.use(controlPlane.guard);
  app.get(['/', '/api/other', `${mount}/other`], page);
  app.get('/broken', fail);
  return app.use(failed);
};

/** Mounts as Connect does: it cuts the path off and keeps the whole address in `originalUrl`. */
export const connectHost: Host = ({ controlPlane, mount, log }) => {
  const { enter, page, fail, failed } = handlers(
    { request: IncomingMessage.prototype, response: ServerResponse.prototype },
    log,
  );
  return (request: IncomingMessage & { originalUrl?: string }, response) => {
    const { url = '/' } = request;
    request.originalUrl = url;
    const answer = (error?: unknown): void => {
      request.url = url;
      try {
        if (error !== undefined) throw error;
        if (url === '/broken') fail();
        page(request, response);
      } catch (thrown) {
        failed(thrown, request, response, () => undefined);
      }
    };
    enter(request, response, () => {
      if (!url.startsWith(`${mount}/`)) return answer();
      request.url = url.slice(mount.length);
      controlPlane.router(request, response, answer);
    });
  };
};

function handlers(prototypes: { request: object; response: object }, log: Seen[]) {
  const see = (request: IncomingMessage, response: ServerResponse): Seen => {
    const [url, originalUrl, baseUrl, query, user, ip] = [
      'url',
      'originalUrl',
      'baseUrl',
      'query',
      'user',
      'ip',
    ].map((name): unknown => Reflect.get(request, name));
    const locals: unknown = Reflect.get(response, 'locals');
    const isHosts =
      Object.getPrototypeOf(request) === prototypes.request &&
      Object.getPrototypeOf(response) === prototypes.response;
    return { url, originalUrl, baseUrl, query, user, ip, locals, isHosts };
  };
  const send = (response: ServerResponse, status: number, body: unknown): void => {
    response.statusCode = status;
    response.setHeader('Content-Type', 'application/json').end(JSON.stringify(body));
  };
  return {
    enter: (request: IncomingMessage, response: ServerResponse, next: () => void): void => {
      Object.assign(request, { user: 'of the host' });
      Reflect.set(response, 'locals', { theme: 'dark' });
      response.on('finish', () => log.push(see(request, response)));
      next();
    },
    page: (request: IncomingMessage, response: ServerResponse): void =>
      send(response, 200, see(request, response)),
    fail: (): never => {
      throw new Error('in the host');
    },
    // Express knows it for a handler of errors by its four parameters.
    failed: (error: unknown, request: IncomingMessage, response: ServerResponse, _next: () => void): void =>
      send(response, 418, { error: String(error), ...see(request, response) }),
  };
}
