import type { Colour } from './surface.js';

const STEPS = 1024;

/** Colours that go over into each other, with a fixed pattern of less than one level so that no bands are seen. */
export class Gradient {
  readonly #levels = new Float32Array((STEPS + 1) * 3);

  /** @param stops places from 0 to 1 in ascending order, and their colours */
  constructor(stops: readonly (readonly [number, Colour])[]) {
    for (let step = 0; step <= STEPS; step++) {
      const at = step / STEPS;
      const next = Math.max(
        1,
        stops.findIndex(([stop]) => stop >= at),
      );
      const [fromAt, from] = stops[next - 1] ?? [0, 0];
      const [toAt, to] = stops[next] ?? [1, from];
      const part = (at - fromAt) / (toAt - fromAt);
      for (const [channel, shift] of [16, 8, 0].entries()) {
        const low = (from >>> shift) & 255;
        this.#levels[step * 3 + channel] = low + (((to >>> shift) & 255) - low) * part;
      }
    }
  }

  /** The colour at a place from 0 to 1, for the pixel at (`x`, `y`). */
  at(place: number, x: number, y: number): Colour {
    const step = Math.round(Math.max(0, Math.min(1, place)) * STEPS) * 3;
    const threshold = ((x * 7 + y * 13 + ((x * y) % 5)) & 15) / 16;
    const red = Math.min(255, Math.floor((this.#levels[step] ?? 0) + threshold));
    const green = Math.min(255, Math.floor((this.#levels[step + 1] ?? 0) + threshold));
    const blue = Math.min(255, Math.floor((this.#levels[step + 2] ?? 0) + threshold));
    return (red << 16) | (green << 8) | blue;
  }
}
