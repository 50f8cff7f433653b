import { LOGIN_TAGS } from '@streamspace/api';
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

/** Within these, what the table of operations does not list does not exist. Other paths are the host application's. */
const OWN_PATHS = ['/api/v1', '/api/openapi.json'];

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
export function apiRouter(services: Services, { probes }: { probes: boolean }): Router {
  const { site } = services;
  const handlers: Handlers = {
    ...probeHandlers(services),
    ...loginHandlers(services),
    ...sessionHandlers(services),
    ...agentHandlers(services),
  };
  const router = Router();
  router.use(noteMount(site.path));
  if (probes) router.use(['/health', '/ready'], protect);
  router.use(
    OWN_PATHS,
    protect,
    guard(site, (path) => isAgentPath(`/api/v1${path}`)),
  );
  router.all('/vnc/:sessionId', sessionIdsOnly, protect, guard(site));
  router.use(webSocketPaths(site));
  const off = new Set([...(probes ? [] : ['Probes']), ...(services.ownAccounts ? LOGIN_TAGS : [])]);
  const ids = REQUEST_IDS.filter((id) => !off.has(operationOf(id).tag));
  router.use(bindOperations(ids, handlers, { authorizer: new Authorizer(services), room: services.room }));
  router.use('/api/v1', (request) => {
    throw new Refusal('not_found', `There is no ${request.method} ${request.baseUrl}${request.path}.`);
  });
  router.use(problemHandler(services.onError));
  return router;
}
