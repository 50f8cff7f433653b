import type { AddressInfo } from 'node:net';
import { createTunnel, joinChannels, type Tunnel } from '@streamspace/vnc-tunnel';
import { webSocketChannel, webSocketLink } from '@streamspace/vnc-tunnel/node';
import { WebSocketServer, type WebSocket } from 'ws';
import { serveRunner } from './child.js';

/** The first half of the tunnel: viewers come to `/viewer`, the agent to `/agent`. */
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
let tunnel: Tunnel | undefined;

server.on('connection', (ws, request) => {
  ws.on('error', () => ws.terminate());
  if (request.url === '/agent') tunnel = createTunnel({ link: webSocketLink(ws) });
  else view(ws).catch(() => ws.terminate());
});

async function view(ws: WebSocket): Promise<void> {
  const viewer = webSocketChannel(ws);
  if (!tunnel) throw new Error('no agent is connected');
  const stream = await tunnel.open({
    sessionId: 'bench',
    port: 'vnc',
    policy: { role: 'control', clipboard: 'both' },
    edge: 'bench',
    attachment: { agentEpoch: 1, viewerAttach: 1 },
  });
  await joinChannels(viewer, stream);
}

server.on('listening', () => serveRunner((server.address() as AddressInfo).port));
