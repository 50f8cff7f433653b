import { afterEach, expect, it } from 'vitest';
import type { TunnelLimits } from '@streamspace/vnc-tunnel';
import { channelPair, openRequest } from '@streamspace/vnc-tunnel/testing';
import { tunnelPair, Wire, type TunnelPair } from './tunnel-pair.js';

const WINDOW = 256 * 1024;
const ROUND_TRIP_MS = 100;

let pair: TunnelPair | undefined;
afterEach(() => pair?.release());

/** Bytes a second that one stream reaches, once it has come up to speed. */
async function speed(limits: Partial<TunnelLimits>): Promise<number> {
  const [dialled, source] = channelPair();
  pair = await tunnelPair({
    wire: new Wire(ROUND_TRIP_MS / 2),
    near: { limits },
    far: { onOpen: async () => dialled },
  });
  const stream = await pair.near.open(openRequest());
  const chunk = new Uint8Array(64 * 1024);
  const writing = (async () => {
    for (;;) await source.write(chunk);
  })().catch(() => {});
  const read = async (ms: number): Promise<number> => {
    let bytes = 0;
    const start = performance.now();
    while (performance.now() - start < ms) bytes += (await stream.read())!.length;
    return (bytes / (performance.now() - start)) * 1_000;
  };
  await read(1_800);
  // The best of three: what a busy machine takes from one of them says nothing about windows.
  const reached = Math.max(await read(700), await read(700), await read(700));
  stream.abort();
  source.abort();
  await writing;
  await pair.release();
  pair = undefined;
  return reached;
}

it('one stream over a path of 100 ms is 8 times as fast as a window of 256 KiB allows', async () => {
  const fixed = await speed({ maxWindowBytes: WINDOW });
  const tuned = await speed({});
  console.log(
    `one stream, ${ROUND_TRIP_MS} ms: ${(tuned / 1e6).toFixed(1)} MB/s, ` +
      `${(fixed / 1e6).toFixed(2)} MB/s with 256 KiB, ${(tuned / fixed).toFixed(1)}x`,
  );
  expect(fixed).toBeLessThan((WINDOW / ROUND_TRIP_MS) * 1_000 * 1.2);
  expect(tuned).toBeGreaterThanOrEqual(8 * fixed);
});
