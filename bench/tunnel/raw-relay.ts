import { connect, type AddressInfo } from 'node:net';
import { WebSocketServer, type RawData } from 'ws';
import { portArgument, serveRunner } from './child.js';

/** The least that a relay between a viewer's WebSocket and TCP can do: one hop, and a pause when a side is slow. */
const originPort = portArgument(0);
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });

server.on('connection', (ws) => {
  const socket = connect({ host: '127.0.0.1', port: originPort, noDelay: true });
  let unsent = 0;
  socket.on('data', (bytes) => {
    unsent += bytes.length;
    if (unsent >= 256 * 1024) socket.pause();
    ws.send(bytes, { binary: true, compress: false }, () => {
      unsent -= bytes.length;
      if (unsent < 128 * 1024) socket.resume();
    });
  });
  ws.on('message', (data: RawData) => {
    if (!socket.write(data as Buffer)) {
      ws.pause();
      socket.once('drain', () => ws.resume());
    }
  });
  socket.on('close', () => ws.terminate());
  socket.on('error', () => ws.terminate());
  ws.on('error', () => socket.destroy());
  ws.on('close', () => socket.destroy());
});

server.on('listening', () => serveRunner((server.address() as AddressInfo).port));
