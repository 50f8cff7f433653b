import { connect, createServer, type Server, type Socket } from 'node:net';

/** Where the attacker's name resolves to: an address of loopback that the product does not listen on. */
export const ATTACKERS_ADDRESS = '127.0.0.5';

/**
 * Stands in for a change of a DNS record. A browser finds the attacker's name at this listener all the time; connections
 * go to the attacker's server first, and to the product after `rebind`. The port is the same for both, as it has to be
 * for an attack: the origin of the page stays.
 */
export class ReboundName implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #target: { host: string; port: number };

  private constructor(attackersPort: number) {
    this.#target = { host: ATTACKERS_ADDRESS, port: attackersPort };
    this.#server = createServer((client) => {
      const upstream = connect(this.#target);
      for (const socket of [client, upstream]) {
        this.#sockets.add(socket);
        socket.on('error', () => undefined);
        socket.once('close', () => {
          this.#sockets.delete(socket);
          client.destroy();
          upstream.destroy();
        });
      }
      client.pipe(upstream).pipe(client);
    });
  }

  static async listen(productPort: number, attackersPort: number): Promise<ReboundName> {
    const name = new ReboundName(attackersPort);
    await new Promise<void>((resolve, reject) => {
      name.#server.once('error', reject).listen(productPort, ATTACKERS_ADDRESS, resolve);
    });
    return name;
  }

  /** From now on the name leads to this port of 127.0.0.1; connections from before are cut. */
  rebind(port: number): void {
    this.#target = { host: '127.0.0.1', port };
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
