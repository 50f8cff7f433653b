import type { IncomingMessage, ServerResponse } from 'node:http';
import express, { type ErrorRequestHandler, type RequestHandler } from 'express';
import { Refusal } from '../domain/errors.js';
import { sendProblem, toRefusal } from './problem.js';

/**
 * A handler that fits Express 4 and 5, Connect, and a server of `node:http`.
 *
 * @param next called with the request and the response as they came, when they are for others. Without it, they are
 * answered with 404.
 */
export type HttpMiddleware = (
  request: IncomingMessage,
  response: ServerResponse,
  next?: (error?: unknown) => void,
) => void;

/** What Express and Connect add to a request. */
interface MountedRequest extends IncomingMessage {
  originalUrl?: string;
  baseUrl?: string;
}

/** Properties that Express writes on its way through an application. */
const OF_REQUESTS = ['url', 'originalUrl', 'baseUrl', 'params', 'query', 'route', 'next', 'res'];
const OF_RESPONSES = ['locals', 'req'];

/**
 * Runs a handler in an Express application of ours, whose settings it then has, whatever the host application is and
 * however it is set up. The host gets a request back as it was: when it is passed on, and, for its access log, when
 * the response is sent.
 */
export function mountable(handler: RequestHandler): HttpMiddleware {
  const leaving = new WeakMap<IncomingMessage, (error?: unknown) => void>();
  const passOn: RequestHandler = (request) => leaving.get(request)?.();
  // Express takes a function of four parameters for a handler of errors.
  const passErrorOn: ErrorRequestHandler = (error: unknown, request, _response, _next) =>
    leaving.get(request)?.(error);
  const app = express().disable('x-powered-by').use(handler, passOn, passErrorOn);

  return (request, response, next) => {
    const restore = keep(request, response);
    response.prependOnceListener('finish', restore);
    leaving.set(request, (error) => {
      leaving.delete(request);
      response.off('finish', restore);
      restore();
      // Outside of our application, which would take an exception of the host for its own.
      setImmediate(() => (next ? next(error) : answer(request, response, error)));
    });
    enter(request);
    app(request, response);
  };
}

function enter(request: MountedRequest): void {
  // Express 4 has put the query there, as the host has it parsed.
  Reflect.deleteProperty(request, 'query');
  request.baseUrl ??= mountIn(request);
}

/** The path that a host has cut off without noting it, as Connect does. */
function mountIn({ originalUrl = '', url = '' }: MountedRequest): string {
  return originalUrl.endsWith(url) ? originalUrl.slice(0, originalUrl.length - url.length) : '';
}

/** Returns what makes both objects as they are now. */
function keep(request: IncomingMessage, response: ServerResponse): () => void {
  const restoreRequest = keepObject(request, OF_REQUESTS);
  const restoreResponse = keepObject(response, OF_RESPONSES);
  return () => {
    restoreRequest();
    restoreResponse();
  };
}

function keepObject(object: object, names: readonly string[]): () => void {
  const prototype: unknown = Object.getPrototypeOf(object);
  const kept = names.map((name) => [name, Object.getOwnPropertyDescriptor(object, name)] as const);
  return () => {
    Object.setPrototypeOf(object, prototype as object | null);
    for (const [name, descriptor] of kept) {
      if (descriptor) Object.defineProperty(object, name, descriptor);
      else Reflect.deleteProperty(object, name);
    }
  };
}

/** Where there is no host to answer. */
function answer(request: IncomingMessage, response: ServerResponse, error: unknown): void {
  if (response.headersSent) response.destroy();
  else sendProblem(response, error === undefined ? nothingAt(request) : toRefusal(error));
}

const nothingAt = ({ method = '', url = '' }: IncomingMessage): Refusal =>
  new Refusal('not_found', `There is no ${method} ${url.split('?', 1).join('')}.`);
