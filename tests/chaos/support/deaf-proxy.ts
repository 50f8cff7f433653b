import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** Stands between clients and a server, and can keep what the server answers to itself. */
export interface DeafProxy extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /**
   * From the next statement on that matches, what clients send is carried out and they never hear of it, and nobody
   * new gets through. Resolves when it has come to that.
   */
  deafenAt(statement: RegExp): Promise<void>;
  heal(): void;
}

export async function startDeafProxy(target: { host: string; port: number }): Promise<DeafProxy> {
  const sockets = new Set<Socket>();
  let isDeaf = false;
  let awaited: { statement: RegExp; arrived: () => void } | undefined;
  const look = (chunk: Buffer): void => {
    if (!awaited?.statement.test(chunk.toString('latin1'))) return;
    isDeaf = true;
    awaited.arrived();
    awaited = undefined;
  };
  const kept = (socket: Socket): Socket => {
    sockets.add(socket);
    return socket.on('error', () => socket.destroy()).once('close', () => sockets.delete(socket));
  };
  const server = createServer((client) => {
    kept(client);
    if (isDeaf) {
      client.destroy();
      return;
    }
    const upstream = kept(connect(target.port, target.host));
    client
      .on('data', (chunk) => {
        look(chunk);
        upstream.write(chunk);
      })
      .once('close', () => upstream.end());
    upstream
      .on('data', (chunk) => {
        if (!isDeaf) client.write(chunk);
      })
      .once('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    deafenAt: (statement) => new Promise((resolve) => (awaited = { statement, arrived: resolve })),
    // A connection that has missed an answer is of no use any more.
    heal() {
      for (const socket of sockets) socket.destroy();
      isDeaf = false;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
