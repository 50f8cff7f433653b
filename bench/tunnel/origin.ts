import { createServer, type AddressInfo, type Socket } from 'node:net';
import { serveRunner } from './child.js';

/** Stands for the VNC server. The first byte that it gets says what to do: `B` blast without end, else echo. */
const BLAST = 'B'.charCodeAt(0);
const CHUNK = Buffer.alloc(256 * 1024, 7);

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy());
  socket.once('data', (first) => {
    if (first[0] === BLAST) blast(socket);
    else {
      socket.write(first);
      socket.pipe(socket);
    }
  });
});

function blast(socket: Socket): void {
  const fill = (): void => {
    while (!socket.destroyed && socket.write(CHUNK));
  };
  socket.on('drain', fill);
  fill();
}

server.listen(0, '127.0.0.1', () => serveRunner((server.address() as AddressInfo).port));
