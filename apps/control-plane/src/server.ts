import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createControlPlane } from '@streamspace/control-plane';
import express from 'express';
import { browserUrl } from './address.js';
import { embeddedMode } from './embedded.js';
import { listenError } from './early/place.mjs';
import { logEvents } from './events.js';
import { externalMode } from './external.js';
import { lastHandlers } from './last-handlers.js';
import { describeError } from './log.js';
import type { Mode, Start } from './mode.js';
import { templates } from './templates.js';
import { xDesktopsHere } from './x-desktops.js';
import { hasPage, securityHeaders, webFolder, webUi } from './web.js';

/**
 * Opens everything in order, the listener late and the agent last; resolves with the address to open in a browser.
 * Closing goes the other way: no new connections, agent, control plane, remaining connections, database, lock.
 *
 * @throws ConfigError for what a person can mend; the stop signal's reason when it aborts
 */
export async function startServer(start: Start): Promise<string> {
  const { config, log, closing, stop } = start;
  const mode = await openMode(start);
  stop.throwIfAborted();

  const app = express();
  const server = createServer(app);
  let listening = false;
  const ended = new Promise<void>((resolve) => server.once('close', resolve));
  closing.add('the connections', () => {
    // What is left once the control plane has closed its own: requests that never end.
    server.closeAllConnections();
    return listening ? ended : undefined;
  });
  const controlPlane = await createControlPlane({
    database: mode.database,
    jwtSecret: mode.jwtSecret,
    podName: config.podName,
    templates: templates({
      xDesktops: config.externalDatabase !== undefined || xDesktopsHere(config) !== false,
    }),
    vncIdleTimeoutMs: config.vncIdleTimeoutMs,
    viewersPerSession: config.viewersPerSession,
    allowedOrigins: config.allowedOrigins,
    capacityWaitMs: config.capacityWaitMs,
    maxSessionsPerUser: config.maxSessionsPerUser,
    unisolatedAgents: config.unisolatedAgents,
    retention: config.retention,
    hub: {
      heartbeatTimeoutMs: config.heartbeatTimeoutMs,
      heartbeatIntervalMs: Math.min(10_000, Math.floor(config.heartbeatTimeoutMs / 3)),
    },
    onEvent: logEvents(log, stop),
    onError: (error, where) => log.error(`${where}: ${describeError(error)}`),
  });
  closing.add('the control plane', () => controlPlane[Symbol.asyncDispose]());
  stop.throwIfAborted();

  app.disable('x-powered-by');
  app.use(securityHeaders(), controlPlane.router);
  const pages = webFolder();
  const isBuilt = hasPage(pages);
  if (isBuilt) app.use(webUi(pages));
  else log.warn('The web page is not built: only the API is served (npm start builds it)');
  const last = lastHandlers(log, isBuilt ? pages : undefined);
  app.use(last.notFound, last.failed);
  controlPlane.attach(server);

  const port = await listen(server, config);
  listening = true;
  closing.add('the listener', () => void server.close());
  log.info(`Server started on :${port}`);

  await mode.begin(controlPlane, port);
  stop.throwIfAborted();
  const token = await controlPlane.setup.issueLink();
  const path = token === undefined ? '/' : `/setup?token=${encodeURIComponent(token)}`;
  return browserUrl(config.host, port, path);
}

function openMode(start: Start): Promise<Mode> {
  const { externalDatabase, jwtSecret } = start.config;
  if (externalDatabase && jwtSecret !== undefined) return externalMode(start, externalDatabase, jwtSecret);
  return embeddedMode(start);
}

async function listen(server: Server, place: { host: string; port: number }): Promise<number> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: place.host, port: place.port }, () => {
        server.removeListener('error', reject);
        resolve();
      });
    });
  } catch (error) {
    throw listenError(error as NodeJS.ErrnoException, place);
  }
  return (server.address() as AddressInfo).port;
}
