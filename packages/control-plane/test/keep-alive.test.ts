import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { keepAlive } from '../src/http/keep-alive.js';
import { ViewerConnection } from '../src/http/viewer-connection.js';

const OPTIONS = { pingIntervalMs: 10, stalledMs: 60 };

let server: WebSocketServer;
let here: WebSocket;
let far: WebSocket;

beforeEach(async () => {
  server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  far = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, { autoPong: false });
  const opened = once(far, 'open');
  [here] = (await once(server, 'connection')) as [WebSocket];
  await opened;
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
});
afterEach(async () => {
  vi.useRealTimers();
  far.terminate();
  here.terminate();
  await new Promise((resolve) => server.close(resolve));
});

/** What it found; time passes by `tick`, one interval at a time. */
function watch(passed = () => 0) {
  const found: string[] = [];
  const stop = keepAlive(here, OPTIONS, {
    passed,
    onDead: () => found.push('dead'),
    onStalled: () => found.push('stalled'),
  });
  return { found, stop };
}

const tick = (times = 1): void => void vi.advanceTimersByTime(times * OPTIONS.pingIntervalMs);

describe('a viewer that is asked whether it is there', () => {
  it('is dead when it has answered neither of two questions', () => {
    const { found, stop } = watch();
    tick(2);
    expect(found).toEqual([]);
    tick();
    stop();
    expect(found).toEqual(['dead']);
  });

  it('is there while it answers', async () => {
    far.on('ping', () => far.pong());
    const { found, stop } = watch();
    for (let asked = 0; asked < 5; asked++) {
      const answered = once(here, 'pong');
      tick();
      await answered;
    }
    stop();
    expect(found).toEqual([]);
  });

  it('is given up when it is held back for long and nothing passes, though it cannot be heard', () => {
    here.pause();
    const { found, stop } = watch();
    tick(6);
    expect(found).toEqual([]);
    tick();
    stop();
    expect(found).toEqual(['stalled']);
  });

  it('is not given up while bytes pass, however slowly', () => {
    here.pause();
    let passed = 0;
    const { found, stop } = watch(() => (passed += 1));
    tick(50);
    stop();
    expect(found).toEqual([]);
  });

  it('has time to answer once it is heard again', () => {
    const { found, stop } = watch();
    tick(2);
    here.pause();
    tick(3);
    here.resume();
    tick(2);
    stop();
    expect(found).toEqual([]);
  });
});

describe('the connection of a viewer', () => {
  const closed = async (): Promise<[number, string]> => {
    const [code, reason] = (await once(far, 'close')) as [number, Buffer];
    return [code, reason.toString()];
  };

  it('is cut when nobody answers, and operators are told so', async () => {
    const viewer = new ViewerConnection(here, OPTIONS);
    const told = closed();
    tick(3);
    expect((await told)[0]).toBe(1006);
    await viewer.gone;
    expect(viewer.signal.reason).toMatchObject({ closeCode: 1006, message: 'The viewer did not answer.' });
  });

  it('is closed when its desktop takes nothing for long, with a code after which viewers connect again', async () => {
    const viewer = new ViewerConnection(here, { ...OPTIONS, stalledMs: 120_000 });
    viewer.countWith(() => 1);
    here.pause();
    const told = closed();
    tick(12_002);
    expect(await told).toEqual([4502, 'The desktop took nothing from you for 2 minutes.']);
    await viewer.gone;
    expect(viewer.signal.reason).toMatchObject({ closeCode: 4502 });
  });
});
