import { joinChannels } from '@streamspace/vnc-tunnel';
import { channelPair } from '@streamspace/vnc-tunnel/testing';
import { describe, expect, it } from 'vitest';

describe('joinChannels', () => {
  it('reports how much went each way after an orderly end', async () => {
    const [near, a] = channelPair();
    const [b, far] = channelPair();
    const joined = joinChannels(a, b);
    await near.write(new Uint8Array(5));
    await far.write(new Uint8Array(7));
    await Promise.all([near.end(), far.end()]);
    expect(await joined).toEqual({ aToB: 5, bToA: 7 });
  });

  it('sees one channel fail while both of its copies wait for the other', async () => {
    const [near, a] = channelPair(10);
    const [b, far] = channelPair(10);
    const joined = joinChannels(a, b);
    await near.write(new Uint8Array(9));
    const stalled = near.write(new Uint8Array(9));
    stalled.catch(() => {});
    near.abort(new Error('gone'));
    expect((await joined).error?.message).toContain('gone');
    expect(await far.closed).toBeInstanceOf(Error);
  });

  it('takes a channel with it when the other one closed both directions, and calls that no failure', async () => {
    const [, a] = channelPair();
    const [b, far] = channelPair();
    const webSocketLike = { ...methodsOf(a), read: async () => null, closed: Promise.resolve(undefined) };
    expect(await joinChannels(webSocketLike, b)).toEqual({ aToB: 0, bToA: 0 });
    await expect(far.write(Uint8Array.of(1))).rejects.toThrow();
  });
});

const methodsOf = (channel: ReturnType<typeof channelPair>[0]) => ({
  write: (bytes: Uint8Array) => channel.write(bytes),
  end: () => channel.end(),
  abort: (reason?: Error) => channel.abort(reason),
});
