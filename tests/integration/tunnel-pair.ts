import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createTunnel, type ByteChannel, type Tunnel, type TunnelOptions } from '@streamspace/vnc-tunnel';
import { clientOptions, webSocketLink } from '@streamspace/vnc-tunnel/node';
import { WebSocket, WebSocketServer } from 'ws';

/** What the test does to the network between the two ends. */
export class Wire {
  readonly #sockets = new Set<Socket>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #server: Server | undefined;
  #silent = false;

  /** @param delayMs how long each byte is on its way */
  constructor(private readonly delayMs = 0) {}

  /** A port that leads to `port`. */
  async lead(port: number): Promise<number> {
    const server = createServer({ noDelay: true }, (near) => {
      const far = connect({ host: '127.0.0.1', port, noDelay: true });
      this.#carry(near, far);
      this.#carry(far, near);
    });
    this.#server = server;
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  /** From now on nothing comes through and nobody is told: a pulled cable. */
  pull(): void {
    this.#silent = true;
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server?.close(resolve) ?? resolve(undefined));
  }

  #carry(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    const later = (act: () => void): void => {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        act();
      }, this.delayMs);
      this.#timers.add(timer);
    };
    from.on('data', (bytes) => {
      if (!this.#silent) later(() => void to.write(bytes));
    });
    from.on('error', () => from.destroy());
    from.on('close', () => {
      if (!this.#silent) later(() => to.destroy());
    });
  }
}

export interface TunnelPair {
  near: Tunnel;
  far: Tunnel;
  nearSocket: WebSocket;
  farSocket: WebSocket;
  release(): Promise<void>;
}

/** Two tunnels on the ends of a real WebSocket; the near one is at its server, as a control plane is. */
export async function tunnelPair(
  options: {
    near?: Partial<TunnelOptions>;
    far?: Partial<TunnelOptions>;
    wire?: Wire;
  } = {},
): Promise<TunnelPair> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `ws://127.0.0.1:${(await options.wire?.lead(port)) ?? port}`;
  const accepted = once(server, 'connection') as Promise<[WebSocket]>;
  const farSocket = new WebSocket(url, clientOptions(url));
  const [[nearSocket]] = await Promise.all([accepted, once(farSocket, 'open')]);
  const sockets = [nearSocket, farSocket];
  for (const ws of sockets) ws.on('error', () => ws.terminate());
  const near = createTunnel({ link: webSocketLink(nearSocket), ...options.near });
  const far = createTunnel({ link: webSocketLink(farSocket), ...options.far });
  return {
    near,
    far,
    nearSocket,
    farSocket,
    async release() {
      await Promise.all([near.close(), far.close()]);
      const gone = sockets.map((ws) => ws.readyState === ws.CLOSED || once(ws, 'close'));
      for (const ws of sockets) ws.terminate();
      await Promise.all(gone);
      await new Promise((resolve) => server.close(resolve));
      await options.wire?.close();
    },
  };
}

/** Reads until `bytes` have come or the far end has ended. */
export async function readBytes(channel: ByteChannel, bytes: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for (let got = 0; got < bytes;) {
    const part = await channel.read();
    if (!part) break;
    parts.push(part.slice());
    got += part.length;
  }
  return Buffer.concat(parts);
}

/** Sockets, servers and timers of this process that are still there. */
export function openHandles(): number {
  return process.getActiveResourcesInfo().filter((name) => /^(TCP(Socket|Server)?Wrap|Timeout)$/.test(name))
    .length;
}
