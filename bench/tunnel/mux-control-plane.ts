import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { argument, serveRunner } from './child.js';
import { codecNamed, Mux } from './mux.js';

/** The first half of a naive relay of the kind that the argument names. */
const codec = codecNamed(argument(0));
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
let mux: Mux | undefined;

server.on('connection', (ws, request) => {
  ws.on('error', () => ws.terminate());
  if (request.url === '/agent') mux = new Mux(ws, codec);
  else if (mux) mux.view(ws, 'origin');
  else ws.terminate();
});

server.on('listening', () => serveRunner((server.address() as AddressInfo).port));
