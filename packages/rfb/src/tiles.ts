import type { Rect } from './rect.js';

/** The tiles of a rectangle, row by row: squares of this side, but for those at its right and bottom. */
export function* tilesOf(rect: Rect, side: number): Generator<Rect> {
  return yield* partsOf(rect, side, side);
}

/** The parts of a rectangle that are at most so large, row by row. */
export function* partsOf(rect: Rect, mostWidth: number, mostHeight: number): Generator<Rect> {
  const right = rect.x + rect.width;
  const bottom = rect.y + rect.height;
  for (let y = rect.y; y < bottom; y += mostHeight) {
    const height = Math.min(mostHeight, bottom - y);
    for (let x = rect.x; x < right; x += mostWidth) {
      yield { x, y, width: Math.min(mostWidth, right - x), height };
    }
  }
}
