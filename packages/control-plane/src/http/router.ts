import { exists, type ServerKind } from '@streamspace/api';
import { Router, type RequestHandler } from 'express';
import { Refusal } from '../domain/errors.js';
import { Authorizer } from './authorizer.js';
import { bindOperations } from './bind-operations.js';
import { guard, isAgentPath } from './guard.js';
import { agentHandlers } from './handlers/agents.js';
import { loginHandlers } from './handlers/logins.js';
import { probeHandlers } from './handlers/probes.js';
import { sessionHandlers } from './handlers/sessions.js';
import { noteMount } from './mount.js';
import { operationOf, REQUEST_IDS, type Handlers } from './operations.js';
import { problemHandler } from './problem.js';
import type { Services } from './services.js';
import { sessionIdsOnly, webSocketPaths } from './web-socket-paths.js';

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

const notFound: RequestHandler = (request) => {
  throw new Refusal('not_found', `There is no ${request.method} ${request.baseUrl}${request.path}.`);
};

/**
 * All of the HTTP API. A path below `/api/v1` that is not in the table of operations is answered with 404. The host
 * application gets all other paths.
 */
export function apiRouter(services: Services, kind: ServerKind): Router {
  const { site } = services;
  const handlers: Handlers = {
    ...probeHandlers(services, kind),
    ...loginHandlers(services),
    ...sessionHandlers(services),
    ...agentHandlers(services),
  };
  const router = Router();
  router.use(noteMount(site.path));
  if (kind.probes !== false) router.all(['/health', '/ready'], protect);
  router.all('/api/openapi.json', protect, guard(site));
  router.use(
    '/api/v1',
    protect,
    guard(site, (path) => isAgentPath(`/api/v1${path}`)),
  );
  router.all('/vnc/:sessionId', sessionIdsOnly, protect, guard(site));
  router.use(webSocketPaths(site));
  const ids = REQUEST_IDS.filter((id) => exists(operationOf(id), kind));
  router.use(bindOperations(ids, handlers, { authorizer: new Authorizer(services), room: services.room }));
  router.use('/api/v1', notFound);
  router.all('/api/openapi.json', notFound);
  router.use(problemHandler(services.onError));
  return router;
}
