import { LIMITS } from '@streamspace/protocol';
import { getEventListeners, once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clientOptions, connectTcp, connectUnix, webSocketChannel } from '@streamspace/vnc-tunnel/node';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { webSocketPair, type SocketPair } from './sockets.js';
import type { WebSocket } from 'ws';

const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;

describe('webSocketChannel', () => {
  let pair: SocketPair<WebSocket>;
  beforeEach(async () => {
    pair = await webSocketPair();
  });
  afterEach(() => pair.release());

  it('fails with protocol_error on a text message and closes with 1003', async () => {
    const channel = webSocketChannel(pair.server);
    const reading = channel.read();
    const closed = once(pair.client, 'close');
    pair.client.send('hello');
    await expect(reading).rejects.toMatchObject({ code: 'protocol_error' });
    expect((await closed)[0]).toBe(1003);
    expect(await channel.closed).toMatchObject({ code: 'protocol_error' });
  });

  it('ends and aborts with the codes and reasons that it was given', async () => {
    const ended = once(pair.client, 'close');
    await webSocketChannel(pair.server, { endWith: { code: 4502, reason: 'the desktop ended' } }).end();
    expect((await ended).map(String)).toEqual(['4502', 'the desktop ended']);

    const other = await webSocketPair();
    const aborted = once(other.client, 'close');
    webSocketChannel(other.server, {
      abortWith: (reason) => ({ code: 4429, reason: reason.message.repeat(50) }),
    }).abort(new Error('zu viele Zuschauer für diesen Tisch: '));
    const [code, reason] = (await aborted) as [number, Buffer];
    expect(code).toBe(4429);
    expect(reason.length).toBeLessThanOrEqual(123);
    expect(reason.toString()).not.toContain('\uFFFD');
    await other.release();
  });

  it('cuts an aborted socket whose far end does not answer', async () => {
    pair.client.pause();
    const channel = webSocketChannel(pair.server, { abortTimeoutMs: 20 });
    channel.abort(new Error('enough'));
    expect(await channel.closed).toMatchObject({ message: 'enough' });
    pair.client.resume();
  });

  it('leaves no timer when an aborted socket has closed', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const clientGone = once(pair.client, 'close');
      const channel = webSocketChannel(pair.server);
      channel.abort(new Error('enough'));
      expect(vi.getTimerCount()).toBeGreaterThan(0);
      await Promise.all([channel.closed, clientGone]);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it('decides what becomes of a write that meets the close of a viewer when the socket is down', async () => {
    const channel = webSocketChannel(pair.server);
    // The viewer closes, and its end of the connection stays for a while.
    pair.client.pause();
    pair.client.close(1000);
    await expect.poll(() => pair.server.readyState).toBe(pair.server.CLOSING);
    let settled = false;
    const writing = channel.write(new Uint8Array(1_000)).finally(() => (settled = true));
    writing.catch(() => {});
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(settled).toBe(false);
    pair.client.resume();
    await expect(writing).rejects.toThrow('the far end has closed');
    expect(await channel.closed).toBe(undefined);
  });

  it('cuts the socket of a viewer that has said its close and does not go, once something is to be written', async () => {
    const channel = webSocketChannel(pair.server, { abortTimeoutMs: 20 });
    pair.client.pause();
    pair.client.close(1000);
    await expect.poll(() => pair.server.readyState).toBe(pair.server.CLOSING);
    await expect(channel.write(new Uint8Array(1_000))).rejects.toThrow('the far end has closed');
    expect(await channel.closed).toBe(undefined);
    pair.client.terminate();
  });

  it('calls a cut connection connection_lost, and a closed tab an end', async () => {
    const channel = webSocketChannel(pair.server);
    pair.client.terminate();
    await expect(channel.read()).rejects.toMatchObject({ code: 'connection_lost', shouldRetry: true });

    const other = await webSocketPair();
    const viewer = webSocketChannel(other.server);
    other.client.close(1001);
    expect(await viewer.read()).toBe(null);
    expect(await viewer.closed).toBe(undefined);
    await other.release();
  });
});

describe('connectTcp and connectUnix', () => {
  const servers: ReturnType<typeof createServer>[] = [];
  const listen = async (target: object): Promise<AddressInfo> => {
    const server = createServer((socket: Socket) => socket.end('hi'));
    servers.push(server);
    server.listen(target);
    await once(server, 'listening');
    return server.address() as AddressInfo;
  };
  afterEach(async () => {
    for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
  });

  it('connect to a port', async () => {
    const { port } = await listen({ host: '127.0.0.1', port: 0 });
    const channel = await connectTcp({ host: '127.0.0.1', port });
    expect(Buffer.from((await channel.read())!).toString()).toBe('hi');
    await channel.end();
    expect(await channel.read()).toBe(null);
    expect(await channel.closed).toBe(undefined);
  });

  it('leave nothing of connecting behind: the channel outlives its time limit and the abort of its signal', async () => {
    const { port } = await listen({ host: '127.0.0.1', port: 0 });
    const before = timers();
    const controller = new AbortController();
    const channel = await connectTcp({
      host: '127.0.0.1',
      port,
      signal: controller.signal,
      timeoutMs: 500,
    });
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    expect(timers()).toBeLessThanOrEqual(before);
    controller.abort(new Error('never mind'));
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(Buffer.from((await channel.read())!).toString()).toBe('hi');
    await channel.end();
    expect(await channel.read()).toBe(null);
    expect(await channel.closed).toBe(undefined);
  });

  it('connect to a path', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'connect-'));
    await listen({ path: join(folder, 's') });
    const channel = await connectUnix({ path: join(folder, 's') });
    expect(Buffer.from((await channel.read())!).toString()).toBe('hi');
    channel.abort();
    await channel.closed;
    await rm(folder, { recursive: true });
  });

  it('say what could not be connected to', async () => {
    const { port } = await listen({ host: '127.0.0.1', port: 0 });
    await new Promise((resolve) => servers.pop()!.close(resolve));
    await expect(connectTcp({ host: '127.0.0.1', port })).rejects.toMatchObject({
      code: 'connect_failed',
      message: expect.stringContaining(`127.0.0.1:${port}`) as string,
    });
    await expect(connectTcp({ host: '127.0.0.1', port: 99_999 })).rejects.toMatchObject({
      code: 'connect_failed',
    });
    await expect(connectUnix({ path: '/nowhere/at/all' })).rejects.toMatchObject({ code: 'connect_failed' });
  });

  it('reject with the reason of their signal', async () => {
    const { port } = await listen({ host: '127.0.0.1', port: 0 });
    const reason = new Error('never mind');
    await expect(connectTcp({ host: '127.0.0.1', port, signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
    const controller = new AbortController();
    const connecting = connectTcp({ host: '127.0.0.1', port, signal: controller.signal });
    controller.abort(reason);
    await expect(connecting).rejects.toBe(reason);
  });
});

describe('clientOptions', () => {
  it.each(['wss://example.org/x', 'ws://127.0.0.1:1/', 'ws://localhost/', 'ws://[::1]:8080/'])(
    'masks with zero on %s',
    (url) => {
      const mask = Buffer.from([1, 2, 3, 4]);
      clientOptions(url).generateMask!(mask);
      expect([...mask]).toEqual([0, 0, 0, 0]);
    },
  );

  it.each(['ws://example.org/', 'ws://127.0.0.1.example.org/', 'ws://10.0.0.1/'])(
    'leaves masking alone on %s',
    (url) =>
      expect(clientOptions(url)).toEqual({
        perMessageDeflate: false,
        maxPayload: 3 * LIMITS.controlMessageChars,
      }),
  );
});
