import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { echoViewer, type PlatformFixture } from '@streamspace/agent-core/testing';
import { machinePool, type Machine } from './platform.js';

const MACHINES = 5;

/** A pool of machines that send back what they get: as good as desktops, for what a platform has to do with them. */
export async function fixture(): Promise<PlatformFixture> {
  const folder = await mkdtemp(join(tmpdir(), 'claims-'));
  const servers = await Promise.all(Array.from({ length: MACHINES }, echoServer));
  const machines: Record<string, Machine> = {};
  for (const [i, { server }] of servers.entries())
    machines[`machine-${i}`] = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  return {
    platform: machinePool(machines, folder, 'one'),
    template: { template: 'any', manifest: {} },
    viewer: echoViewer,
    restart: async () => machinePool(machines, folder, 'one'),
    otherAgent: async () => machinePool(machines, folder, 'other'),
    leftovers: async () => [
      ...(await readdir(folder)),
      ...servers.flatMap(({ sockets }) => [...sockets].map(() => 'a connection to a machine')),
    ],
    async close() {
      for (const { server, sockets } of servers) {
        server.close();
        for (const socket of sockets) socket.destroy();
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function echoServer(): Promise<{ server: Server; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    // A connection that is cut off is over, and no more than that.
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, sockets };
}
