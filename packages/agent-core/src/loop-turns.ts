/** Passes within one turn of the event loop, at most, … */
const PASSES = 4;
/** … and only while the turn is younger than this, in ms. */
const TURN_MS = 2;

/**
 * Keeps the event loop turning while many streams have work at once.
 *
 * A desktop in this process makes its pictures where bytes are read from it, in promises that wait for no I/O: a few
 * hundred viewers that come at once would hold up timers and sockets for seconds, heartbeats among them. So each read,
 * write and end passes here first. Some pass at once; the others wait for later turns, in the order in which they came, and
 * between two turns everything else has its time. A stream of a socket hardly ever waits.
 */
export class LoopTurns {
  readonly #waiting: (() => void)[] = [];
  #passed = 0;
  #began = 0;
  #scheduled = false;

  /** Resolves in this turn or a later one. Never rejects. */
  pass(): Promise<void> | undefined {
    const now = performance.now();
    if (!this.#scheduled) this.#begin(now);
    if (this.#waiting.length === 0 && this.#passed < PASSES && now - this.#began < TURN_MS) {
      this.#passed += 1;
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #begin(now: number): void {
    this.#scheduled = true;
    this.#passed = 0;
    this.#began = now;
    setImmediate(() => this.#next());
  }

  /** One in each turn: what it sets off is over before the next one comes. */
  #next(): void {
    this.#scheduled = false;
    const first = this.#waiting.shift();
    if (!first) return;
    this.#begin(performance.now());
    this.#passed = PASSES;
    first();
  }
}
