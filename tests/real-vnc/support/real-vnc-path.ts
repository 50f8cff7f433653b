import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { createAgent, PlatformError, type Platform, type PlatformSession } from '@streamspace/agent-core';
import { createControlPlane } from '@streamspace/control-plane';
import { pgliteDatabase } from '@streamspace/control-plane/pglite';
import { filterChannel, RfbPolicyFilter, type RfbPolicy } from '@streamspace/rfb';
import { connectTcp } from '@streamspace/vnc-tunnel/node';
import express from 'express';
import { vi } from 'vitest';

const NOVNC = fileURLToPath(new URL('../../../node_modules/@novnc/novnc/', import.meta.url));
const PAGE = `<!doctype html><meta charset="utf-8"><title>noVNC</title><link rel="icon" href="data:,">
<style>body { margin: 0 } #screen { width: 100vw; height: 100vh }</style><div id="screen"></div>`;
const AGENT = 'agent-1';
const SOON = { timeout: 30_000 };

/** A desktop by its port, and what viewers of it may do. */
export interface Far {
  readonly port: number;
  readonly policy: RfbPolicy;
}

/**
 * What lies between a viewer and a VNC server, as it is in use: a control plane with its database and its endpoint for
 * viewers, the tunnel over a real WebSocket, an agent that connects by TCP through the policy's filter. Each desktop is
 * a session that runs, by its name. The same origin has a page with noVNC under `/novnc/`.
 *
 * @param errors gets what went wrong where nobody was told; complete once closed
 */
export async function pathTo(errors: string[], far: Readonly<Record<string, Far>>) {
  /** What was begun, the last first. */
  const closings: (() => PromiseLike<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const end of closings.splice(0).reverse()) await end();
  };
  const onError = (error: unknown, where: string): void => void errors.push(`${where}: ${String(error)}`);
  try {
    const database = await pgliteDatabase({ memory: true });
    closings.push(() => database[Symbol.asyncDispose]());
    const controlPlane = await createControlPlane({
      database,
      podName: 'pod-a',
      jwtSecret: 'a secret for tests that is long enough',
      templates: [{ name: 'desk', displayName: 'Desk', description: 'A desk' }],
      onError,
    });
    const app = express();
    app.use('/novnc', express.static(NOVNC));
    app.get('/', (_, response) => void response.type('html').send(PAGE));
    app.use(controlPlane.router);
    const server = createServer(app);
    controlPlane.attach(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    closings.push(async () => {
      server.closeAllConnections();
      await new Promise<unknown>((resolve) => server.close(resolve));
    });
    closings.push(() => controlPlane[Symbol.asyncDispose]());

    const agent = createAgent({
      agentId: AGENT,
      controlPlaneUrl: origin,
      apiKey: await controlPlane.agents.issueKey(AGENT),
      platform: platformOf(far),
      onError,
    });
    const stop = new AbortController();
    const running = agent.run(stop.signal);
    closings.push(async () => {
      stop.abort();
      await running;
    });
    await vi.waitUntil(() => agent.status === 'connected', SOON);

    const api = await logIn(origin, await controlPlane.setup.issueLink());
    for (const id of Object.keys(far)) {
      await api('POST', '/sessions', { template: 'desk', id });
      await vi.waitUntil(async () => (await api('GET', `/sessions/${id}`))['state'] === 'running', SOON);
    }
    return {
      origin,
      /** The address of a desktop, good for one viewer. */
      async url(session: string): Promise<string> {
        const { ticket } = await api('POST', `/sessions/${session}/tickets`, { mode: 'control' });
        return `${origin.replace('http', 'ws')}/api/v1/vnc/${session}?ticket=${String(ticket)}`;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

type Api = (method: string, path: string, body?: unknown) => Promise<Record<string, unknown>>;

/** Sets up an administrator, whose requests these are. */
async function logIn(origin: string, setupToken: string | undefined): Promise<Api> {
  let authorization = '';
  const api: Api = async (method, path, body) => {
    const response = await fetch(`${origin}/api/v1${path}`, {
      method,
      headers: { 'content-type': 'application/json', authorization },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} got ${response.status}: ${text}`);
    return JSON.parse(text) as Record<string, unknown>;
  };
  const admin = { token: setupToken, username: 'ann', password: 'correct horse' };
  const { token } = await api('POST', '/setup', admin);
  authorization = `Bearer ${String(token)}`;
  return api;
}

/** Sessions are what there is already: they run from when they are asked for, and connections go to their ports. */
function platformOf(far: Readonly<Record<string, Far>>): Platform {
  const sessions = new Map<string, PlatformSession>();
  const refuse = (): Promise<never> => Promise.reject(new PlatformError('not_supported', 'not in this test'));
  return {
    name: 'real-vnc',
    capabilities: { hibernate: false, survivesAgentRestart: false },
    start: ({ sessionId }, change) => {
      const session: PlatformSession = { sessionId, ...change, state: 'running' };
      sessions.set(sessionId, session);
      return Promise.resolve(session);
    },
    stop: (sessionId) => Promise.resolve(void sessions.delete(sessionId)),
    hibernate: refuse,
    wake: refuse,
    list: () => Promise.resolve([...sessions.values()]),
    inspect: (sessionId) => Promise.resolve(sessions.get(sessionId)),
    openStream: async (sessionId, _port, signal) => {
      const desktop = far[sessionId];
      if (!desktop) throw new PlatformError('session_not_found', `there is no session ${sessionId}`);
      const server = await connectTcp({ host: '127.0.0.1', port: desktop.port, signal });
      return filterChannel(server, new RfbPolicyFilter(desktop.policy));
    },
  };
}
