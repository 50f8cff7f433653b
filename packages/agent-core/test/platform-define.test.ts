import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { ByteChannel } from '@streamspace/vnc-tunnel';
import { channelPair } from '@streamspace/vnc-tunnel/testing';
import { definePlatform, PlatformError, type PlatformDriver } from '../src/index.js';
import type { PlatformSession } from '../src/platform.js';
import { echoViewer, platformSuite } from '../src/testing/index.js';
import { InMemoryHost } from '../src/testing/memory-host.js';
import { turn } from './kit-broken.js';

/** No more than what is different about a place: turns, generations, ids and streams are not its business. */
function driver(host: InMemoryHost, changes: Partial<PlatformDriver> = {}): PlatformDriver {
  const run = async (session: PlatformSession, signal: AbortSignal): Promise<PlatformSession> => {
    await turn();
    signal.throwIfAborted();
    host.boot(session.sessionId, session.generation);
    host.records.set(session.sessionId, session);
    return session;
  };
  return {
    name: 'defined',
    capabilities: { hibernate: true, survivesAgentRestart: true },
    list: async () => [...host.records.values()],
    start: ({ sessionId }, change, signal) => run({ sessionId, ...change, state: 'running' }, signal),
    async stop({ sessionId }) {
      host.end(host.desktopOf(sessionId));
      host.records.delete(sessionId);
    },
    async hibernate({ sessionId }, change) {
      host.end(host.desktopOf(sessionId));
      const session = { sessionId, ...change, state: 'hibernated' as const };
      host.records.set(sessionId, session);
      return session;
    },
    wake: ({ sessionId }, change, signal) => run({ sessionId, ...change, state: 'running' }, signal),
    async connect({ sessionId }, port) {
      if (port !== 'vnc') throw new PlatformError('connect_failed', `there is no port ${port}`);
      return host.connect(host.desktopOf(sessionId)!);
    },
    ...changes,
  };
}

const spec = { sessionId: 'one', generation: 1, user: 'someone', template: 'any', manifest: {} };
const by = { commandId: 'command-1', generation: 1 };
const never = new AbortController().signal;

describe('a platform that is defined by a driver', () => {
  platformSuite({ describe, it }, async () => {
    const host = new InMemoryHost();
    return {
      platform: definePlatform(driver(host)),
      template: { template: 'any', manifest: {} },
      viewer: echoViewer,
      restart: async () => definePlatform(driver(host)),
      leftovers: async () => host.leftovers(),
      crash: async (sessionId) => host.crash(sessionId),
      close: async () => undefined,
    };
  });

  it('cannot say that it hibernates without saying how', () => {
    const { hibernate: _, ...without } = driver(new InMemoryHost());
    expect(() => definePlatform(without)).toThrow('it needs hibernate() and wake()');
  });

  it('makes failures of what is below it an error that asks to try again', async () => {
    const cause = new Error('EIO');
    const platform = definePlatform(driver(new InMemoryHost(), { list: () => Promise.reject(cause) }));
    await expect(platform.start(spec, by, never)).rejects.toMatchObject({
      code: 'platform_unavailable',
      shouldRetry: true,
      message: 'defined: EIO',
      cause,
    });
  });

  it('rejects with the reason of the signal, whatever an aborted call of the driver rejects with', async () => {
    const controller = new AbortController();
    const platform = definePlatform(
      driver(new InMemoryHost(), {
        start: async () => {
          controller.abort(new Error('enough'));
          throw new DOMException('aborted', 'AbortError');
        },
      }),
    );
    await expect(platform.start(spec, by, controller.signal)).rejects.toThrow('enough');
  });

  it.each(['stopped', 'closed'] as const)(
    'opens no stream that has connected when the session was %s',
    async (how) => {
      let connected!: (channel: ByteChannel) => void;
      const connecting = new Promise<ByteChannel>((resolve) => (connected = resolve));
      const platform = definePlatform(driver(new InMemoryHost(), { connect: () => connecting }));
      await platform.start(spec, by, never);
      const opening = platform.openStream('one', 'vnc', never);
      await turn();
      if (how === 'stopped') await platform.stop('one', by, never);
      else await platform.close?.();
      const [near] = channelPair();
      connected(near);
      await expect(opening).rejects.toMatchObject({
        code: how === 'stopped' ? 'session_not_found' : 'platform_unavailable',
      });
      expect(await near.closed).toBeInstanceOf(Error);
    },
  );

  it('ends what is under way when it is closed, and starts nothing of what waited for its turn', async () => {
    const host = new InMemoryHost();
    const calls: string[] = [];
    let began!: () => void;
    const beginning = new Promise<void>((resolve) => (began = resolve));
    const platform = definePlatform(
      driver(host, {
        start: ({ generation }, _change, signal) =>
          new Promise((_resolve, reject) => {
            calls.push(`start ${generation}`);
            signal.addEventListener('abort', () => {
              calls.push('aborted');
              setImmediate(() => {
                calls.push('tidied up');
                reject(new DOMException('aborted', 'AbortError'));
              });
            });
            began();
          }),
        close: async () => void calls.push('close'),
      }),
    );
    const starts = [1, 2].map((generation) =>
      platform.start({ ...spec, generation }, { ...by, generation }, never).catch((error: unknown) => error),
    );
    await beginning;
    await Promise.all([platform.close!(), platform.close!()]);
    expect(calls).toEqual(['start 1', 'aborted', 'tidied up', 'close']);
    const closed = { code: 'platform_unavailable', message: 'the platform is closed' };
    expect(await Promise.all(starts)).toMatchObject([closed, closed]);
    await expect(platform.start(spec, by, never)).rejects.toMatchObject(closed);
    expect(host.records.size).toBe(0);
  });

  it('closes without a change that does not end when it is aborted', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    let began!: () => void;
    const beginning = new Promise<void>((resolve) => (began = resolve));
    const hang = (): Promise<never> => {
      began();
      return new Promise(() => undefined);
    };
    const close = vi.fn(async () => undefined);
    const platform = definePlatform(driver(new InMemoryHost(), { start: hang, close }));
    platform.start(spec, by, never).catch(() => undefined);
    await beginning;
    const closing = platform.close!();
    await vi.advanceTimersByTimeAsync(4_999);
    expect(close).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    await closing;
    expect(close).toHaveBeenCalledOnce();
  });

  it('keeps a listener that throws from the driver', () => {
    const host = new InMemoryHost();
    const platform = definePlatform(
      driver(host, {
        watch(changed) {
          host.watchers.add(changed);
          return () => host.watchers.delete(changed);
        },
      }),
    );
    const seen: PlatformSession[] = [];
    platform.watch?.(() => {
      throw new Error('this one always throws');
    });
    platform.watch?.((session) => seen.push(session));
    host.records.set('one', { sessionId: 'one', ...by, state: 'running' });
    host.crash('one');
    expect(seen).toHaveLength(1);
  });

  it('passes watching on, where there is something to watch', () => {
    const host = new InMemoryHost();
    expect(definePlatform(driver(host)).watch).toBeUndefined();
    const seen: PlatformSession[] = [];
    const watched = definePlatform(
      driver(host, {
        watch(changed) {
          host.watchers.add(changed);
          return () => host.watchers.delete(changed);
        },
      }),
    );
    const unwatch = watched.watch?.((session) => seen.push(session));
    host.records.set('one', { sessionId: 'one', ...by, state: 'running' });
    host.crash('one');
    unwatch?.();
    expect(seen).toMatchObject([{ sessionId: 'one', state: 'failed' }]);
    expect(host.watchers.size).toBe(0);
  });
});
