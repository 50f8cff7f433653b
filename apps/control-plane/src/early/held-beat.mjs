import { renewBeat } from './lock-beat.mjs';

const MONOTONIC_NS = 0;
const WALL_MS = 1;

/** The beat of a lock that this process holds, shared by its threads: when it was renewed last. */
export class HeldBeat {
  #times;

  /** @param times memory for two 64-bit numbers that the threads share */
  constructor(file, times = new SharedArrayBuffer(2 * BigInt64Array.BYTES_PER_ELEMENT)) {
    this.file = file;
    this.times = times;
    this.#times = new BigInt64Array(times);
  }

  /** Notes a renewal that began at this moment. */
  note(monotonicNs = process.hrtime.bigint(), wallMs = Date.now()) {
    Atomics.store(this.#times, MONOTONIC_NS, monotonicNs);
    Atomics.store(this.#times, WALL_MS, BigInt(wallMs));
  }

  renew() {
    const began = [process.hrtime.bigint(), Date.now()];
    const outcome = renewBeat(this.file);
    if (outcome === 'renewed') this.note(...began);
    return outcome;
  }

  /** Time since the last renewal, in ms. The wall clock shows a suspended machine, which the monotonic clock leaves out. */
  ageMs() {
    const monotonic = Number(process.hrtime.bigint() - Atomics.load(this.#times, MONOTONIC_NS)) / 1e6;
    return Math.max(monotonic, Date.now() - Number(Atomics.load(this.#times, WALL_MS)));
  }
}
