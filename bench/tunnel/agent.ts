import { createTunnel } from '@streamspace/vnc-tunnel';
import { clientOptions, connectTcp, webSocketLink } from '@streamspace/vnc-tunnel/node';
import { WebSocket } from 'ws';
import { portArgument, serveRunner } from './child.js';

/** The second half of the tunnel: dials the control plane, and the origin for each stream. */
const controlPlanePort = portArgument(0);
const originPort = portArgument(1);
const url = `ws://127.0.0.1:${controlPlanePort}/agent`;
const ws = new WebSocket(url, clientOptions(url));
ws.on('error', (error) => {
  console.error(`agent: ${error.message}`);
  process.exit(1);
});
ws.on('open', () => {
  createTunnel({
    link: webSocketLink(ws),
    onOpen: (_request, signal) => connectTcp({ host: '127.0.0.1', port: originPort, signal }),
  });
  serveRunner(controlPlanePort);
});
