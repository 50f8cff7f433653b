/** Counts how long a thread has not beaten, in ticks of the thread that watches it. */
export class FreezeCount {
  #ticks;
  #tickMs;
  #lateMs;
  #silent = 0;
  #lastBeat;
  #lastTickAt;

  constructor({ ticks, tickMs, lateMs }) {
    this.#ticks = ticks;
    this.#tickMs = tickMs;
    this.#lateMs = lateMs;
  }

  /** Takes one tick; returns whether the watched thread counts as frozen. */
  tick(now, beat) {
    // A tick that is late was itself not run: the machine or the process slept, and the watched thread with it.
    const late = this.#lastTickAt !== undefined && now - this.#lastTickAt > this.#tickMs + this.#lateMs;
    const beaten = beat !== this.#lastBeat;
    this.#lastTickAt = now;
    this.#lastBeat = beat;
    this.#silent = late || beaten ? 0 : this.#silent + 1;
    return this.#silent >= this.#ticks;
  }
}
