import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { connectRfb, Encoding, type Rect, type RfbClient } from '@streamspace/rfb';
import { concat, handshake, noise, pair } from './support.js';

const SIDE = 24;

interface Move extends Rect {
  readonly fromX: number;
  readonly fromY: number;
}

const head = ({ x, y, width, height }: Rect, encoding: number): number[] =>
  [x, y, width, height, encoding >> 16, encoding].flatMap(pair);
const picture = Array.from({ length: SIDE * SIDE }, (_, index) => noise(index));
const pixelBytes = picture.flatMap((pixel) => [pixel & 255, (pixel >> 8) & 255, pixel >> 16, 0]);

/** A client that is shown a picture, and then moves in one update. */
async function shown(moves: readonly Move[]): Promise<RfbClient> {
  const copies = moves.flatMap((move) => [
    ...head(move, Encoding.copyRect),
    ...[move.fromX, move.fromY].flatMap(pair),
  ]);
  const screen = { x: 0, y: 0, width: SIDE, height: SIDE };
  const chunks = [
    handshake(SIDE, SIDE),
    concat([Uint8Array.of(0, 0, 0, 1, ...head(screen, Encoding.raw)), Uint8Array.from(pixelBytes)]),
    Uint8Array.of(0, 0, ...pair(moves.length), ...copies),
  ];
  const client = await connectRfb({
    read: () => Promise.resolve(chunks.shift() ?? null),
    write: () => Promise.resolve(),
    end: () => Promise.resolve(),
    abort: () => undefined,
  });
  await client.nextUpdate();
  return client;
}

/** What a move makes of a picture: each pixel from the picture before it. */
function moved(before: readonly number[], { x, y, width, height, fromX, fromY }: Move): number[] {
  return before.map((pixel, index) => {
    const column = (index % SIDE) - x;
    const row = Math.floor(index / SIDE) - y;
    if (column < 0 || column >= width || row < 0 || row >= height) return pixel;
    return before[(fromY + row) * SIDE + fromX + column]!;
  });
}

const directions = [-1, 0, 1].flatMap((dx) => [-1, 0, 1].map((dy) => [dx, dy] as const));

describe('A part of the picture that is moved over itself', () => {
  it.each(directions)('by %i and %i times a little', async (dx, dy) => {
    for (const step of [1, 3, 7]) {
      const move = { x: 8 + dx * step, y: 8 + dy * step, width: 9, height: 9, fromX: 8, fromY: 8 };
      const client = await shown([move]);
      await client.nextUpdate();
      expect([...client.framebuffer.pixels]).toEqual(moved(picture, move));
    }
  });

  it('any number of times, anywhere', async () => {
    const move = fc
      .tuple(fc.integer({ min: 1, max: SIDE }), fc.integer({ min: 1, max: SIDE }))
      .chain(([width, height]) => {
        const across = fc.integer({ min: 0, max: SIDE - width });
        const down = fc.integer({ min: 0, max: SIDE - height });
        return fc.record({
          x: across,
          y: down,
          width: fc.constant(width),
          height: fc.constant(height),
          fromX: across,
          fromY: down,
        });
      });
    const property = fc.asyncProperty(fc.array(move, { minLength: 1, maxLength: 8 }), async (moves) => {
      const client = await shown(moves);
      await client.nextUpdate();
      expect([...client.framebuffer.pixels]).toEqual(moves.reduce(moved, picture));
    });
    await fc.assert(property, { numRuns: 100 });
  });

  it('costs as many pixels as it has', async () => {
    const client = await shown([{ x: 1, y: 2, width: 5, height: 4, fromX: 0, fromY: 0 }]);
    const { pixels } = client.framebuffer;
    const within = vi.spyOn(pixels, 'copyWithin');
    const others = [vi.spyOn(pixels, 'slice'), vi.spyOn(pixels, 'set')];
    await client.nextUpdate();
    const touched = within.mock.calls.reduce((total, [, start, end = NaN]) => total + end - start, 0);
    expect(touched).toBe(20);
    for (const other of others) expect(other).not.toHaveBeenCalled();
  });
});

describe('A move is refused', () => {
  const move = { x: 0, y: 0, width: 5, height: 5, fromX: SIDE - 5, fromY: SIDE - 5 };
  it.each<[string, Partial<Move>]>([
    ['from beyond the right', { fromX: SIDE - 4 }],
    ['from beyond the bottom', { fromY: SIDE - 4 }],
    ['to beyond the right', { x: SIDE - 4 }],
    ['to beyond the bottom', { y: SIDE - 4 }],
  ])('%s of the desktop', async (_, change) => {
    const client = await shown([{ ...move, ...change }]);
    await expect(client.nextUpdate()).rejects.toMatchObject({ code: 'bad_message' });
  });

  it('not at the edges', async () => {
    const client = await shown([move]);
    await client.nextUpdate();
    expect([...client.framebuffer.pixels]).toEqual(moved(picture, move));
  });
});
