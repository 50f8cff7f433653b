import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { createTunnel, joinChannels, type Tunnel } from '@streamspace/vnc-tunnel';
import { clientOptions, connectTcp, webSocketChannel, webSocketLink } from '@streamspace/vnc-tunnel/node';
import { WebSocket, WebSocketServer } from 'ws';
import { CODECS, Mux } from '../../bench/tunnel/mux.js';
import type { Answer, Question } from './tunnel-stage.js';

/**
 * One process of a path under test: `control-plane` or `agent`, as `tunnel` or as the `naive` relay that it is compared
 * with, which multiplexes binary frames and leaves all else to the sockets; or a `bulk-viewer`.
 */
const [role, kind, port = '0'] = process.argv.slice(2);

let tunnel: Tunnel | undefined;

// ---- the control plane: viewers at /viewer/<session>, the agent at /agent

async function controlPlane(): Promise<number> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  let naive: Mux | undefined;
  server.on('connection', (ws, request) => {
    ws.on('error', () => ws.terminate());
    const [, who, session = ''] = (request.url ?? '').split('/');
    if (who === 'agent') {
      if (kind === 'naive') naive = new Mux(ws, CODECS.binary);
      else tunnel = createTunnel({ link: webSocketLink(ws) });
    } else if (naive) naive.view(ws, session);
    else view(ws, session).catch(() => ws.terminate());
  });
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function view(ws: WebSocket, sessionId: string): Promise<void> {
  if (!tunnel) throw new Error('no agent is connected');
  const viewer = webSocketChannel(ws);
  const stream = await tunnel.open({
    sessionId,
    port: 'vnc',
    policy: { role: 'control', clipboard: 'both' },
    edge: 'test',
    attachment: { agentEpoch: 1, viewerAttach: 1 },
  });
  await joinChannels(viewer, stream);
}

// ---- the agent, and the two VNC servers that it can dial

async function agent(): Promise<number> {
  const [echo, blast] = await Promise.all([
    listen((socket) => socket.pipe(socket)),
    listen((socket) => {
      const chunk = Buffer.alloc(64 * 1024, 7);
      const fill = (): void => {
        while (!socket.destroyed && socket.write(chunk));
      };
      socket.on('drain', fill);
      fill();
    }),
  ]);
  const targetPort = (session: string): number => (session === 'echo' ? echo : blast);
  const url = `ws://127.0.0.1:${port}/agent`;
  const ws = new WebSocket(url, clientOptions(url));
  await once(ws, 'open');
  if (kind === 'naive') new Mux(ws, CODECS.binary, targetPort);
  else
    tunnel = createTunnel({
      link: webSocketLink(ws),
      onOpen: ({ sessionId }, signal) =>
        connectTcp({ host: '127.0.0.1', port: targetPort(sessionId), signal }),
    });
  return echo;
}

async function listen(serve: (socket: Socket) => void): Promise<number> {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    serve(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

// ---- a viewer that reads as fast as it can, away from the process that measures

async function bulkViewer(): Promise<number> {
  const ws = new WebSocket(`ws://127.0.0.1:${port}/viewer/blast`, { perMessageDeflate: false });
  let bytes = 0;
  await new Promise<void>((resolve, reject) => {
    ws.on('error', reject);
    ws.on('message', (message: Buffer) => {
      bytes += message.length;
      if (bytes > 16e6) resolve();
    });
  });
  return 0;
}

// ---- answers to the test

const answer = (message: Answer): void => void process.send?.(message);

process.on('disconnect', () => process.exit(0));
process.on('message', (question: Question) => {
  if (question === 'stop') process.exit(0);
  if (question === 'state after collection') {
    // Twice: what the first one finds unused may only be freed by the second.
    globalThis.gc?.();
    globalThis.gc?.();
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  answer({ heldBytes: heapUsed + external, rss, ...(tunnel && { stats: tunnel.stats() }) });
});
const roles = { 'control-plane': controlPlane, agent, 'bulk-viewer': bulkViewer };
answer({ port: await roles[role as keyof typeof roles]() });
