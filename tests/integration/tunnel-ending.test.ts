import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { joinChannels, type ByteChannel, type JoinOptions } from '@streamspace/vnc-tunnel';
import { clientOptions, connectTcp, socketChannel, webSocketChannel } from '@streamspace/vnc-tunnel/node';
import { channelPair, openRequest } from '@streamspace/vnc-tunnel/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { openHandles, readBytes, tunnelPair, Wire, type TunnelPair } from './tunnel-pair.js';

let pair: TunnelPair;
let handlesBefore = 0;
beforeEach(() => {
  handlesBefore = openHandles();
});
afterEach(async () => {
  await pair.release();
  await expect.poll(openHandles).toBeLessThanOrEqual(handlesBefore);
});

describe('a far end that is gone without a FIN', () => {
  it('holds one window of a writer, lets opens time out, and fails all when the owner gives the link up', async () => {
    const wire = new Wire();
    const targets: ByteChannel[] = [];
    pair = await tunnelPair({
      wire,
      far: {
        onOpen: async () => {
          const [mine, theirs] = channelPair();
          targets.push(theirs);
          return mine;
        },
      },
    });
    const stream = await pair.near.open(openRequest());
    await stream.write(Buffer.from('before'));
    expect((await readBytes(targets[0]!, 6)).toString()).toBe('before');
    wire.pull();
    let written = 0;
    const writing = (async () => {
      for (;;) {
        await stream.write(new Uint8Array(16 * 1024));
        written += 16 * 1024;
      }
    })().catch((error: unknown) => error);
    await expect(pair.near.open(openRequest(), { timeoutMs: 300 })).rejects.toMatchObject({
      code: 'timeout',
    });
    expect(written).toBeLessThanOrEqual(256 * 1024);
    expect(pair.near.stats()).toMatchObject({ streams: 1, openFailures: { timeout: 1 } });
    expect(pair.near.stats().outstandingBytes).toBeLessThanOrEqual(256 * 1024);
    expect(pair.near.stats().creditStallMs).toBeGreaterThan(0);
    const reading = expect(stream.read()).rejects.toMatchObject({ code: 'link_lost' });
    pair.nearSocket.terminate();
    await reading;
    expect(await writing).toMatchObject({ code: 'link_lost' });
    expect(pair.near.streams).toBe(0);
    expect(pair.near.stats().grantedBytes).toBe(0);
  });
});

describe('an open that ends before it is answered', () => {
  it('stops the dial at the other end when it is given up', async () => {
    let dial: AbortSignal | undefined;
    pair = await tunnelPair({
      far: {
        onOpen: (_request, signal) => {
          dial = signal;
          return new Promise((_, reject) =>
            signal.addEventListener('abort', () => reject(new Error('stopped'))),
          );
        },
      },
    });
    const controller = new AbortController();
    const opening = pair.near.open(openRequest(), { signal: controller.signal });
    await expect.poll(() => dial).toBeDefined();
    controller.abort(new Error('the viewer left'));
    await expect(opening).rejects.toThrow('the viewer left');
    await expect.poll(() => dial?.aborted).toBe(true);
    await expect.poll(() => pair.far.streams).toBe(0);
    expect(pair.near.stats()).toMatchObject({
      streams: 0,
      openFailures: { cancelled: 1 },
      resetsSent: { cancelled: 1 },
    });
    expect(pair.far.stats().resetsReceived).toEqual({ cancelled: 1 });
  });

  it('rejects with going_away when the other end shuts down while it dials', async () => {
    pair = await tunnelPair({
      far: { onOpen: () => new Promise(() => {}), limits: { closeTimeoutMs: 20 } },
    });
    const opening = pair.near.open(openRequest());
    await expect.poll(() => pair.far.streams).toBe(1);
    await Promise.all([pair.far.close(), expect(opening).rejects.toMatchObject({ code: 'going_away' })]);
    expect(pair.near.stats().resetsReceived).toEqual({ going_away: 1 });
  });

  it('costs 744 of 1 000 opens at once, which are told the limit, and none of the other 256', async () => {
    const errors: unknown[] = [];
    pair = await tunnelPair({
      far: { onOpen: async () => channelPair()[0], onError: (error) => errors.push(error) },
    });
    const results = await Promise.allSettled(
      Array.from({ length: 1_000 }, (_, i) => pair.near.open(openRequest(`desk-${i}`))),
    );
    const opened = results.filter((result) => result.status === 'fulfilled');
    const refused = results.filter((result) => result.status === 'rejected');
    expect(opened).toHaveLength(256);
    expect(new Set(refused.map(({ reason }) => (reason as Error).message))).toEqual(
      new Set(['opensInFlight: at most 256 opens may wait for an answer']),
    );
    expect(pair.near.stats()).toMatchObject({ opened: 256, openFailures: { limit_reached: 744 } });
    for (const { value } of opened) value.abort();
    await expect.poll(() => pair.far.streams).toBe(0);
    expect(pair.far.stats()).toMatchObject({ accepted: 256, grantedBytes: 0 });
    expect(errors).toEqual([]);
  });
});

describe('half-close through two hops', () => {
  /** A viewer and a server on TCP, with a control plane, a WebSocket and an agent between them. */
  async function viewerAndServer(): Promise<{ viewer: Socket; server: Socket; release(): Promise<void> }> {
    const listener = createServer({ allowHalfOpen: true });
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const { port } = listener.address() as AddressInfo;
    const dialled = once(listener, 'connection') as Promise<[Socket]>;
    pair = await tunnelPair({
      far: { onOpen: (_request, signal) => connectTcp({ host: '127.0.0.1', port, signal }) },
    });
    const front = createServer({ allowHalfOpen: true }, (socket) => {
      void pair.near.open(openRequest()).then((stream) => joinChannels(socketChannel(socket), stream));
    });
    front.listen(0, '127.0.0.1');
    await once(front, 'listening');
    const viewer = connect({
      host: '127.0.0.1',
      port: (front.address() as AddressInfo).port,
      allowHalfOpen: true,
    });
    const [server] = await dialled;
    return {
      viewer,
      server,
      async release() {
        viewer.destroy();
        server.destroy();
        await Promise.all([front, listener].map((each) => new Promise((resolve) => each.close(resolve))));
      },
    };
  }

  const readAll = async (socket: Socket): Promise<string> => {
    let text = '';
    socket.on('data', (chunk) => (text += String(chunk)));
    await once(socket, 'end');
    return text;
  };

  for (const first of ['viewer', 'server'] as const)
    it(`lets the other side go on when the ${first} has ended`, async () => {
      const both = await viewerAndServer();
      const second = first === 'viewer' ? 'server' : 'viewer';
      const [ends, goesOn] = [both[first], both[second]];
      ends.end('the last of it');
      const answer = readAll(ends);
      expect(await readAll(goesOn)).toBe('the last of it');
      for (let i = 0; i < 20; i++) goesOn.write('x'.repeat(50_000));
      goesOn.end('and now this one');
      const got = await answer;
      expect(got).toHaveLength(1_000_000 + 16);
      expect(got.endsWith('and now this one')).toBe(true);
      await expect.poll(() => pair.near.streams + pair.far.streams).toBe(0);
      expect(pair.near.stats().resetsSent).toEqual({});
      await both.release();
    });
});

describe('a viewer on a WebSocket that closes in order', () => {
  type Joined = Awaited<ReturnType<typeof joinChannels>>;

  /** A viewer on a WebSocket, a control plane, an agent, and a VNC server on TCP that `serve` makes up. */
  async function viewerOf(
    serve: (socket: Socket) => void,
    options: JoinOptions = {},
    onOpen?: () => Promise<ByteChannel>,
  ): Promise<{ viewer: WebSocket; joined: Promise<Joined>; release(): Promise<void> }> {
    const sockets = new Set<Socket>();
    const listener = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket.on('error', () => {}));
      serve(socket);
    });
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const { port } = listener.address() as AddressInfo;
    pair = await tunnelPair({
      far: { onOpen: onOpen ?? ((_request, signal) => connectTcp({ host: '127.0.0.1', port, signal })) },
    });
    const front = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
    await once(front, 'listening');
    const joined = new Promise<Joined>((resolve, reject) =>
      front.once('connection', (ws) => {
        const channel = webSocketChannel(ws);
        pair.near
          .open(openRequest())
          .then((stream) => joinChannels(channel, stream, options))
          .then(resolve, reject);
      }),
    );
    const url = `ws://127.0.0.1:${(front.address() as AddressInfo).port}`;
    const viewer = new WebSocket(url, clientOptions(url));
    await once(viewer, 'open');
    return {
      viewer,
      joined,
      async release() {
        viewer.terminate();
        for (const socket of sockets) socket.destroy();
        await Promise.all([front, listener].map((each) => new Promise((resolve) => each.close(resolve))));
      },
    };
  }

  const bytes = Buffer.from(Uint8Array.from({ length: 14_000_000 }, (_, i) => (i * 31 + (i >> 8)) % 256));

  for (const isTalkative of [false, true])
    it(`loses none of its bytes to a slow server${isTalkative ? ' that goes on sending' : ''}`, async () => {
      const got: Buffer[] = [];
      let ended = false;
      const { viewer, joined, release } = await viewerOf((socket) => {
        const talking = setInterval(() => {
          if (isTalkative) socket.write(new Uint8Array(10_000));
        }, 5);
        const next = (): void => {
          const part = socket.read(Math.min(64 * 1024, socket.readableLength)) as Buffer | null;
          if (part) got.push(part);
          else socket.read(0);
          if (ended || socket.destroyed) clearInterval(talking);
          else setTimeout(next, 5);
        };
        socket.on('end', () => {
          ended = true;
          socket.end();
        });
        next();
      });
      viewer.on('message', () => {});
      viewer.send(bytes);
      viewer.close(1000);
      const { error, aToB } = await joined;
      expect(error).toBe(undefined);
      expect(aToB).toBe(bytes.length);
      await expect.poll(() => ended).toBe(true);
      expect(Buffer.concat(got).equals(bytes)).toBe(true);
      await expect.poll(() => pair.near.streams + pair.far.streams).toBe(0);
      await release();
    });

  it('does not hold the stream of a server that goes on sending and never ends', async () => {
    const { viewer, joined, release } = await viewerOf(
      (socket) => {
        const more = (): void => {
          if (socket.writable) socket.write(new Uint8Array(50_000), () => setImmediate(more));
        };
        socket.resume();
        more();
      },
      { farewellMs: 50 },
    );
    viewer.on('message', () => {});
    await once(viewer, 'message');
    viewer.send(bytes);
    viewer.close(1000);
    expect(await joined).toMatchObject({ aToB: bytes.length });
    expect((await joined).error).toBe(undefined);
    await expect.poll(() => pair.near.streams + pair.far.streams).toBe(0);
    await release();
  });

  it('is told to the caller as an error when the server takes none of it within lingerMs', async () => {
    const [dialled, target] = channelPair();
    const { viewer, joined, release } = await viewerOf(
      () => {},
      { lingerMs: 100 },
      async () => dialled,
    );
    viewer.send(bytes.subarray(0, 200_000));
    viewer.close(1000);
    expect((await joined).error).toMatchObject({
      code: 'timeout',
      message: expect.stringContaining('lingerMs') as string,
    });
    expect(await target.closed).toBeInstanceOf(Error);
    await expect.poll(() => pair.near.streams + pair.far.streams).toBe(0);
    await release();
  });
});
