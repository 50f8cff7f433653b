import { Router, type Response } from 'express';
import { Refusal } from '../domain/errors.js';
import type { Site } from './site.js';

/** Paths at which agents and viewers open WebSockets, below the mount. */
const AGENTS = '/api/v1/agents/connect';
const VIEWERS = ['/vnc/:sessionId', '/api/v1/vnc/:sessionId'];

/**
 * Answers plain requests to the paths of WebSockets with 426: they are what is left of an upgrade when a proxy in front
 * does not pass it on. A page that asks by POST learns whether its Origin is in the way.
 */
export function webSocketPaths(site: Site): Router {
  const router = Router();
  router.all(VIEWERS, (request, response) => {
    const refusal = site.originRefusal(request);
    if (refusal) throw refusal;
    throw upgradeRequired(response);
  });
  router.all(AGENTS, (_request, response) => {
    throw upgradeRequired(response);
  });
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
