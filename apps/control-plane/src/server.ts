import { createServer, type Server } from 'node:http';
import { isIP } from 'node:net';
import {
  ControlPlaneError,
  createControlPlane,
  type ControlPlane,
  type SiteOptions,
} from '@streamspace/control-plane';
import express, { type RequestHandler } from 'express';
import { browserUrl, pathOf } from './address.js';
import { apiDocs } from './api-docs.js';
import type { Config } from './config.js';
import { embeddedMode } from './embedded.js';
import { ConfigError } from './early/place.mjs';
import { logEvents } from './events.js';
import { externalMode } from './external.js';
import { lastHandlers } from './last-handlers.js';
import { describeError } from './log.js';
import type { Mode, Start } from './mode.js';
import { takePort } from './port.js';
import { StartingGate } from './starting.js';
import { templates } from './templates.js';
import { Watchdog } from './watchdog/watchdog.js';
import { xDesktopsHere } from './x-desktops.js';
import { hasPage, readPage, securityHeaders, underBase, viewerPage, webFolder, webUi } from './web.js';

/**
 * Listens first, so that a port in use ends the start before anything else is touched; until everything else is open,
 * requests are answered with 503. The agent comes last. Resolves with the address to open in a browser.
 * Closing goes the other way: no new connections, agent, control plane, remaining connections, database, lock.
 *
 * @throws ConfigError for what a person can mend; the stop signal's reason when it aborts
 */
export async function startServer(start: Start): Promise<string> {
  const { config, log, closing, stop } = start;
  const base = pathOf(config.site.publicUrl);
  const gate = new StartingGate(config.podName, base);
  const server = createServer(gate.handle);
  gate.guard(server);
  const port = await takePort(server, start);
  const closeServer = serverCloser(server);
  // Where the start ends early, there is nothing between this and the listener.
  closing.add('the port', closeServer);

  const mode = await openMode(start);
  stop.throwIfAborted();
  // What is left once the control plane has closed its own: requests that never end.
  closing.add('the connections', closeServer);
  const app = express();
  const controlPlane = await openControlPlane(start, mode);
  closing.add('the control plane', () => controlPlane[Symbol.asyncDispose]());
  // Armed to the end: a database can freeze while it closes, too.
  Watchdog.arm();
  stop.throwIfAborted();

  app.disable('x-powered-by');
  const folder = webFolder();
  const page = hasPage(folder) ? readPage(folder, base) : undefined;
  if (page === undefined) log.warn('The web page is not built: only the API is served (npm start builds it)');
  const parts: RequestHandler[] = [securityHeaders(), controlPlane.router, controlPlane.guard, apiDocs()];
  if (page !== undefined) parts.push(webUi(folder, page));
  const last = lastHandlers(log, page);
  app.use(underBase(base, parts), last.notFound, last.failed);
  controlPlane.attach(server);
  gate.open(server, app);
  closing.add('the listener', () => void server.close());
  log.info(`Server started on :${port}`);

  await mode.begin(controlPlane, port);
  stop.throwIfAborted();
  const token = await controlPlane.setup.issueLink();
  const path = token === undefined ? '/' : `/setup?token=${encodeURIComponent(token)}`;
  return browserUrl(config.host, port, path, config.site.publicUrl);
}

/** The name to listen on is one to be reached by. */
function siteOf({ site, host }: Config): SiteOptions {
  const hosts = [site.hosts ?? [], isIP(host) === 0 ? host : []].flat();
  return { ...site, hosts: hosts.flatMap((names) => names.split(',')) };
}

async function openControlPlane({ config, log, stop }: Start, mode: Mode): Promise<ControlPlane> {
  const { podName } = config;
  try {
    return await createControlPlane({
      database: mode.database,
      jwtSecret: mode.jwtSecret,
      ...(config.agentKeySecret !== undefined && { agentKeySecret: config.agentKeySecret }),
      podName,
      replicaTimeoutMs: config.replicaTimeoutMs,
      // The lock of the data folder sees to that.
      soleReplica: config.externalDatabase === undefined,
      signal: stop,
      templates: templates({
        xDesktops: config.externalDatabase !== undefined || xDesktopsHere(config) !== false,
      }),
      vncIdleTimeoutMs: config.vncIdleTimeoutMs,
      viewersPerSession: config.viewersPerSession,
      allowedOrigins: config.allowedOrigins,
      ...siteOf(config),
      pageUrl: viewerPage,
      capacityWaitMs: config.capacityWaitMs,
      maxSessionsPerUser: config.maxSessionsPerUser,
      unisolatedAgents: config.unisolatedAgents,
      retention: config.retention,
      ...(mode.storage && { storage: mode.storage }),
      hub: {
        heartbeatTimeoutMs: config.heartbeatTimeoutMs,
        heartbeatIntervalMs: Math.min(10_000, Math.floor(config.heartbeatTimeoutMs / 3)),
      },
      onEvent: logEvents(log, stop),
      onError: (error, where) => log.error(`${where}: ${describeError(error)}`),
    });
  } catch (error) {
    if (error instanceof ControlPlaneError && error.code === 'pod_name_in_use')
      throw new ConfigError(
        'POD_NAME',
        podName,
        `in use by a replica that started at ${error.heldSince?.toISOString()} and still runs; stop that one, or choose another name`,
      );
    throw error;
  }
}

/** Closes the server with every connection; resolves when all are down. Idempotent. */
function serverCloser(server: Server): () => Promise<void> {
  const ended = new Promise<void>((resolve) => server.once('close', resolve));
  return () => {
    server.close();
    server.closeAllConnections();
    return ended;
  };
}

function openMode(start: Start): Promise<Mode> {
  const { externalDatabase, jwtSecret } = start.config;
  if (externalDatabase && jwtSecret !== undefined) return externalMode(start, externalDatabase, jwtSecret);
  return embeddedMode(start);
}
