import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PlatformError, type Platform } from '@streamspace/agent-core';
import { filterChannel, RfbPolicyFilter, type RfbPolicy } from '@streamspace/rfb';
import { joinChannels } from '@streamspace/vnc-tunnel';
import { connectTcp, webSocketChannel } from '@streamspace/vnc-tunnel/node';
import { WebSocketServer } from 'ws';
import { hubAndAgent } from '../../integration/support/hub-and-agent.js';

const NOVNC = fileURLToPath(new URL('../../../node_modules/@novnc/novnc/', import.meta.url));
const PAGE = `<!doctype html><meta charset="utf-8"><title>noVNC</title><link rel="icon" href="data:,">
<style>body { margin: 0 } #screen { width: 100vw; height: 100vh }</style><div id="screen"></div>`;

/** The platform below filters by itself. */
const UNBOUND = { role: 'control', clipboard: 'both' } as const;

/** A desktop by its port, and what viewers of it may do. */
export interface Far {
  readonly port: number;
  readonly policy: RfbPolicy;
}

/**
 * What lies between a viewer and a VNC server: an endpoint that speaks raw RFB over WebSockets with the subprotocol
 * `binary`, a hub, the tunnel over a real WebSocket, an agent that connects by TCP through the policy's filter.
 */
export async function pathTo(far: Readonly<Record<string, Far>>) {
  let online: () => void = () => undefined;
  const agentOnline = new Promise<void>((resolve) => (online = resolve));
  const middle = await hubAndAgent({
    onEvent: ({ type }) => (type === 'agent_online' ? online() : undefined),
  });
  middle.startAgent({ platform: platformOf(far) });
  await agentOnline;
  const viewers = new WebSocketServer({ noServer: true, handleProtocols: () => 'binary' });
  const server = createServer((request, response) => {
    void servePage(request.url ?? '/').then(
      ({ type, content }) => response.writeHead(200, { 'content-type': type }).end(content),
      () => response.writeHead(404).end(),
    );
  });
  server.on('upgrade', (request, socket, head) => {
    const sessionId = (request.url ?? '').slice('/vnc/'.length);
    viewers.handleUpgrade(request, socket, head, (ws) => {
      const viewer = webSocketChannel(ws);
      middle.hub.openStream({ agentId: 'agent-1', sessionId, policy: UNBOUND }).then(
        (stream) => void joinChannels(viewer, stream),
        (error: Error) => viewer.abort(error),
      );
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    errors: middle.errors,
    /** Of the page that has noVNC under `/novnc/`. */
    origin: `http://127.0.0.1:${port}`,
    url: (sessionId: string) => `ws://127.0.0.1:${port}/vnc/${sessionId}`,
    async close(): Promise<void> {
      for (const ws of viewers.clients) ws.terminate();
      await middle.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function platformOf(far: Readonly<Record<string, Far>>): Platform {
  const refuse = (): Promise<never> => Promise.reject(new PlatformError('not_supported', 'not in this test'));
  return {
    name: 'real-vnc',
    capabilities: { hibernate: false, survivesAgentRestart: true },
    start: refuse,
    stop: refuse,
    hibernate: refuse,
    wake: refuse,
    list: () => Promise.resolve([]),
    inspect: () => Promise.resolve(undefined),
    openStream: async (sessionId, _, signal) => {
      const desktop = far[sessionId];
      if (!desktop) throw new PlatformError('session_not_found', `there is no session ${sessionId}`);
      const server = await connectTcp({ host: '127.0.0.1', port: desktop.port, signal });
      return filterChannel(server, new RfbPolicyFilter(desktop.policy));
    },
  };
}

async function servePage(url: string): Promise<{ type: string; content: string | Buffer }> {
  if (!url.startsWith('/novnc/')) return { type: 'text/html', content: PAGE };
  const content = await readFile(join(NOVNC, new URL(url, 'http://local').pathname.slice('/novnc/'.length)));
  return { type: extname(url) === '.js' ? 'text/javascript' : 'application/octet-stream', content };
}
