import { Router, type Request, type RequestHandler, type Response } from 'express';
import { Refusal } from '../domain/errors.js';
import { isDnsLabel } from '../domain/session.js';
import type { Site } from './site.js';

/** Paths at which agents and viewers open WebSockets, below the mount. */
const AGENTS = '/api/v1/agents/connect';
const VIEWERS = ['/vnc/:sessionId', '/api/v1/vnc/:sessionId'];
type Endpoint = 'agent' | 'viewer';

/** Leaves `/vnc/vnc.html` and the like to the host application: no session has such an id. */
export const sessionIdsOnly: RequestHandler<{ sessionId: string }> = (request, _response, next) =>
  isDnsLabel(request.params.sessionId) ? next() : next('route');

/**
 * Answers plain requests to the paths of WebSockets with 426: they are what is left of an upgrade when a proxy in front
 * does not pass it on. A page that asks by POST learns whether its Origin is in the way.
 */
export function webSocketPaths(site: Site): Router {
  const router = Router();
  const refuse = (endpoint: Endpoint, request: Request, response: Response): never => {
    const refusal = upgradeRequired(response);
    // WebSocket connections begin with GET. By POST a page asks why it could not open one.
    if (request.method === 'GET') site.noteUpgradeMissing(endpoint, request.originalUrl, refusal);
    throw refusal;
  };
  router.all(VIEWERS, sessionIdsOnly, (request, response) => {
    const refusal = site.originRefusal(request);
    if (refusal) throw refusal;
    refuse('viewer', request, response);
  });
  router.all(AGENTS, (request, response) => refuse('agent', request, response));
  return router;
}

function upgradeRequired(response: Response): Refusal {
  // RFC 9110 section 15.5.22: what to upgrade to.
  response.set({ Connection: 'Upgrade', Upgrade: 'websocket' });
  return new Refusal(
    'upgrade_required',
    'This path takes WebSocket connections, and the request has no Upgrade: websocket. If it was a WebSocket ' +
      'connection, a proxy in front does not pass it on.',
    {
      remedy:
        'Have the proxy pass WebSocket connections, in nginx for example by proxy_http_version 1.1; ' +
        'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";',
    },
  );
}
