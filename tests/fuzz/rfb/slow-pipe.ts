import { setImmediate as turn } from 'node:timers/promises';
import type { RfbChannel } from '@streamspace/rfb';
import { channelPair } from '@streamspace/vnc-tunnel/testing';
import type { Random } from '../random.js';

/** A channel whose writes arrive one after the other in pieces, some of them late. */
function fragmenting(channel: RfbChannel, random: Random): RfbChannel {
  let tail: Promise<void> = Promise.resolve();
  const pass = async (bytes: Uint8Array): Promise<void> => {
    for (let at = 0; at < bytes.length;) {
      const size = 1 + random.upTo(random.pick([20, 2_000, 40_000]));
      if (random.chance(0.3)) await turn();
      await channel.write(bytes.subarray(at, at + size));
      at += size;
    }
  };
  return {
    read: () => channel.read(),
    write: (bytes) => (tail = tail.then(() => pass(bytes))),
    end: async () => {
      await tail;
      await channel.end();
    },
    abort: (reason) => channel.abort(reason),
  };
}

/** Both ends of such a channel; little has room between them. */
export function slowPipe(random: Random): [RfbChannel, RfbChannel] {
  const [a, b] = channelPair(random.pick([100, 4_096, 65_536]));
  // Each has numbers of its own: which of the two is asked first does not change them.
  return [fragmenting(a, random.fork()), fragmenting(b, random.fork())];
}

/** A far end that says these parts and ends. What it is told is counted, and dropped. */
export function scripted(parts: readonly Uint8Array[], random: Random): RfbChannel & { received: number } {
  let next = 0;
  let failure: Error | undefined;
  const check = (): void => {
    if (failure) throw failure;
  };
  return {
    received: 0,
    async read() {
      if (random.chance(0.1)) await turn();
      check();
      return parts[next++] ?? null;
    },
    async write(bytes) {
      check();
      this.received += bytes.length;
      if (random.chance(0.1)) await turn();
      check();
    },
    end: async () => {},
    abort: (reason) => void (failure ??= reason ?? new Error('aborted')),
  };
}
