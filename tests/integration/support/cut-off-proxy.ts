import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A path between an agent and the control plane that can be cut as a network is: nothing arrives, and nobody is told. */
export interface CutOffProxy extends AsyncDisposable {
  readonly port: number;
  /** From now on every byte is lost, in both directions, and new connections get no further than the handshake of TCP. */
  cut(): void;
  /** Connections that were begun during the cut get through; those from before it stay dead. */
  heal(): void;
}

interface Pair {
  readonly near: Socket;
  far: Socket | undefined;
  dead: boolean;
}

export async function cutOffProxy(target: number): Promise<CutOffProxy> {
  const pairs = new Set<Pair>();
  let isCut = false;

  const join = (pair: Pair): void => {
    const far = connect(target, '127.0.0.1');
    pair.far = far;
    const pass = (from: Socket, to: Socket): void => {
      from.on('data', (bytes: Buffer) => {
        if (!pair.dead) to.write(bytes);
      });
      from.on('close', () => {
        if (!pair.dead) to.destroy();
      });
      from.on('error', () => from.destroy());
    };
    pass(pair.near, far);
    pass(far, pair.near);
    pair.near.resume();
  };

  const server = createServer({ pauseOnConnect: true, noDelay: true }, (near) => {
    const pair: Pair = { near, far: undefined, dead: false };
    pairs.add(pair);
    near.on('error', () => near.destroy());
    near.on('close', () => pairs.delete(pair));
    if (!isCut) join(pair);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  return {
    port: (server.address() as AddressInfo).port,
    cut() {
      isCut = true;
      for (const pair of pairs) pair.dead = true;
    },
    heal() {
      isCut = false;
      for (const pair of pairs) if (!pair.far && !pair.near.destroyed) join(pair);
    },
    async [Symbol.asyncDispose]() {
      for (const { near, far } of pairs) {
        near.destroy();
        far?.destroy();
      }
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
