import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { clientOptions } from '@streamspace/vnc-tunnel/node';
import { WebSocket, WebSocketServer } from 'ws';

export interface SocketPair<T> {
  client: T;
  server: T;
  release(): Promise<void>;
}

/** Both ends of a TCP connection over loopback, or of a Unix-domain socket where `path` is given. */
export async function tcpPair(path?: string): Promise<SocketPair<Socket>> {
  const listener: Server = createServer({ allowHalfOpen: true });
  listener.listen(path === undefined ? { host: '127.0.0.1', port: 0 } : { path });
  await once(listener, 'listening');
  const accepted = once(listener, 'connection') as Promise<[Socket]>;
  const target = path === undefined ? { port: (listener.address() as AddressInfo).port } : { path };
  const client = connect({ host: '127.0.0.1', allowHalfOpen: true, ...target });
  const [[server]] = await Promise.all([accepted, once(client, 'connect')]);
  return {
    client,
    server,
    async release() {
      client.destroy();
      server.destroy();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}

/** Both ends of a WebSocket over loopback. */
export async function webSocketPair(): Promise<SocketPair<WebSocket>> {
  const listener = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  await once(listener, 'listening');
  const accepted = once(listener, 'connection') as Promise<[WebSocket]>;
  const url = `ws://127.0.0.1:${(listener.address() as AddressInfo).port}`;
  const client = new WebSocket(url, clientOptions(url));
  const [[server]] = await Promise.all([accepted, once(client, 'open')]);
  const gone = [client, server].map((ws) => new Promise((resolve) => ws.once('close', resolve)));
  return {
    client,
    server,
    async release() {
      client.terminate();
      server.terminate();
      await Promise.all(gone);
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}
