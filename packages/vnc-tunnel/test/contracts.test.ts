import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTunnel, type ByteChannel } from '@streamspace/vnc-tunnel';
import { socketChannel, webSocketChannel, webSocketLink } from '@streamspace/vnc-tunnel/node';
import {
  channelContract,
  channelPair,
  linkPair,
  openRequest,
  tunnelContract,
} from '@streamspace/vnc-tunnel/testing';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { tcpPair, webSocketPair } from './sockets.js';

const runner = { describe, it, beforeEach, afterEach };

/** Sockets and pipes of this process; the runner has some of its own. */
const openHandles = (): number =>
  process.getActiveResourcesInfo().filter((name) => /^(TCP|Pipe).*Wrap$/.test(name)).length;
const handlesBefore = openHandles();

afterAll(async () => {
  await vi.waitFor(() => expect(openHandles()).toBeLessThanOrEqual(handlesBefore));
});

tunnelContract(runner, {
  name: 'links in memory',
  async connect() {
    const { a, b, cut } = linkPair();
    return { a, b, cut, release: async () => {} };
  },
});

tunnelContract(runner, {
  name: 'a real WebSocket, opened from its client',
  async connect() {
    const { client, server, release } = await webSocketPair();
    return {
      a: webSocketLink(client),
      b: webSocketLink(server),
      cut: () => client.terminate(),
      release,
    };
  },
});

tunnelContract(runner, {
  name: 'a real WebSocket, opened from its server',
  async connect() {
    const { client, server, release } = await webSocketPair();
    return {
      a: webSocketLink(server),
      b: webSocketLink(client),
      cut: () => client.terminate(),
      release,
    };
  },
});

channelContract(runner, {
  name: 'channelPair',
  async connect() {
    const [a, b] = channelPair();
    return { a, b, release: async () => {} };
  },
});

channelContract(runner, {
  name: 'socketChannel over TCP',
  async connect() {
    const { client, server, release } = await tcpPair();
    return { a: socketChannel(client), b: socketChannel(server), release };
  },
});

channelContract(runner, {
  name: 'socketChannel over a Unix-domain socket',
  async connect() {
    const folder = await mkdtemp(join(tmpdir(), 'channel-'));
    const { client, server, release } = await tcpPair(join(folder, 'socket'));
    return {
      a: socketChannel(client),
      b: socketChannel(server),
      async release() {
        await release();
        await rm(folder, { recursive: true });
      },
    };
  },
});

const noHalfClose = 'the close of a WebSocket is of both directions';

channelContract(runner, {
  name: 'webSocketChannel of the client',
  noHalfClose,
  async connect() {
    const { client, server, release } = await webSocketPair();
    return { a: webSocketChannel(client), b: webSocketChannel(server), release };
  },
});

channelContract(runner, {
  name: 'webSocketChannel of the server',
  noHalfClose,
  async connect() {
    const { client, server, release } = await webSocketPair();
    return { a: webSocketChannel(server), b: webSocketChannel(client), release };
  },
});

/** A stream whose far end is handed out by way of the dialled channel, which a join lies before. */
async function streamPair(): Promise<{ a: ByteChannel; b: ByteChannel; release(): Promise<void> }> {
  const { a: link, b: farLink } = linkPair();
  const near = createTunnel({ link });
  const [mine, b] = channelPair();
  const far = createTunnel({ link: farLink, onOpen: async () => mine });
  const a = await near.open(openRequest());
  return {
    a,
    b,
    async release() {
      await Promise.all([near.close(), far.close()]);
    },
  };
}

channelContract(runner, { name: 'a tunnel stream, opening side', connect: streamPair });

channelContract(runner, {
  name: 'a tunnel stream, accepting side',
  async connect() {
    const { a, b, release } = await streamPair();
    return { a: b, b: a, release };
  },
});
