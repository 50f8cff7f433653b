import { json, Router, type RequestHandler } from 'express';
import { Refusal } from '../domain/errors.js';
import { agentRoutes } from './agent-routes.js';
import { guard, isAgentPath } from './guard.js';
import { loginRoutes } from './login-routes.js';
import { noteMount } from './mount.js';
import { problemHandler } from './problem.js';
import type { Services } from './services.js';
import { sessionRoutes } from './session-routes.js';
import { storageGate } from './storage-gate.js';
import { sessionIdsOnly, webSocketPaths } from './web-socket-paths.js';

/** Largest body of a request; past it: 413 `body_too_large`. */
const BODY_LIMIT = '1mb';

const protect: RequestHandler = (_request, response, next) => {
  response.set({
    'Cache-Control': 'no-store',
    'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
  });
  response.removeHeader('X-Powered-By');
  next();
};

/** All of the HTTP API. Paths that are not its own are passed on. */
export function apiRouter(services: Services): Router {
  const { site } = services;
  const router = Router();
  router.use(noteMount(site.path));

  router.get('/health', protect, (_request, response) => {
    response.json({ status: 'healthy', pod_name: services.podName });
  });
  router.get('/ready', protect, async (_request, response) => {
    await services.ready();
    response.json({ status: 'ready' });
  });
  router.use(
    '/api',
    protect,
    guard(site, (path) => isAgentPath(`/api${path}`)),
  );
  router.all('/vnc/:sessionId', sessionIdsOnly, protect, guard(site));
  router.use(webSocketPaths(site));
  router.use('/api/v1', json({ limit: BODY_LIMIT }));
  router.use('/api/v1', storageGate(services.room));
  router.use('/api/v1', loginRoutes(services), sessionRoutes(services), agentRoutes(services));
  router.use('/api', (request) => {
    throw new Refusal('not_found', `There is no ${request.method} ${request.baseUrl}${request.path}.`);
  });
  router.use(problemHandler(services.onError));
  return router;
}
