import { PlatformError } from '@streamspace/agent-core';
import { looksTaken } from './display-files.js';

/**
 * Which displays this platform uses or is about to. Other programs' are seen by their files, and where two are equally
 * fast, the X server's lock decides.
 */
export class Displays {
  readonly #held = new Set<number>();
  #next: number;

  constructor(
    readonly first: number,
    readonly count: number,
  ) {
    this.#next = first;
  }

  /** The next that looks free. Goes round, so that one which was taken all the same is not the first tried again. */
  take(): number {
    for (let tries = 0; tries < this.count; tries++) {
      const display = this.#next;
      this.#next = this.first + ((display - this.first + 1) % this.count);
      if (this.#held.has(display) || looksTaken(display)) continue;
      this.#held.add(display);
      return display;
    }
    throw new PlatformError(
      'capacity_exhausted',
      `displays :${this.first} to :${this.first + this.count - 1} are all taken`,
      true,
    );
  }

  hold(display: number): void {
    this.#held.add(display);
  }

  free(display: number): void {
    this.#held.delete(display);
  }
}
