import { clientOptions } from '@streamspace/vnc-tunnel/node';
import { WebSocket } from 'ws';
import { argument, portArgument, serveRunner } from './child.js';
import { codecNamed, Mux } from './mux.js';

/** The second half of a naive relay; it has the same WebSocket options as the tunnel, the mask included. */
const controlPlanePort = portArgument(1);
const originPort = portArgument(2);
const url = `ws://127.0.0.1:${controlPlanePort}/agent`;
const ws = new WebSocket(url, clientOptions(url));
ws.on('error', (error) => {
  console.error(`agent: ${error.message}`);
  process.exit(1);
});
ws.on('open', () => {
  new Mux(ws, codecNamed(argument(0)), () => originPort);
  serveRunner(controlPlanePort);
});
