import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { channelContract } from '@streamspace/vnc-tunnel/testing';
import { channelPair, PAIR_BUFFER_BYTES } from '../src/channel-pair.js';

channelContract(
  { describe, it, beforeEach, afterEach },
  {
    name: 'a pair in memory',
    connect: () => {
      const [a, b] = channelPair();
      return Promise.resolve({ a, b, release: () => Promise.resolve() });
    },
    maxBufferedBytes: 2 * PAIR_BUFFER_BYTES,
  },
);

describe('A pair of channels', () => {
  it('holds one buffer and makes the writer wait until the reader comes back', async () => {
    const [a, b] = channelPair();
    let written = false;
    const writing = a.write(new Uint8Array(PAIR_BUFFER_BYTES * 2 + 1)).then(() => (written = true));
    expect((await b.read())?.length).toBe(PAIR_BUFFER_BYTES);
    await new Promise(setImmediate);
    expect(written).toBe(false);
    expect((await b.read())?.length).toBe(PAIR_BUFFER_BYTES);
    await new Promise(setImmediate);
    expect(written).toBe(false);
    expect((await b.read())?.length).toBe(1);
    await writing;
  });
});
