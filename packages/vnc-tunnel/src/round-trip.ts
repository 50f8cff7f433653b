import { LIMITS } from '@streamspace/protocol';

/** Shortest time between two PINGs of one stream once the path is known, in ms. */
const PING_INTERVAL_MS = 250;
/** An answer that takes longer than this counts as lost, in ms. */
const PONG_PATIENCE_MS = 10_000;
/** After a stream's first bytes a PING is worth its frame once this much has come, in bytes: typing alone sends none. */
const PING_BYTES = LIMITS.dataBytes;
/** One round trip may have met a busy process; the shortest of so many has not. */
const ENOUGH_SAMPLES = 3;
/** How long a round trip counts, at least; twice this at most, in ms. */
const MEMORY_MS = 30_000;

/**
 * The round-trip time of a tunnel's path without its queues: the shortest that any of its streams has seen of late.
 *
 * The streams share it because one that starts beside busy ones never sees a short one: its PING waits in kernel
 * buffers behind their bytes. A window that grew by that wait would make it longer, and grow again.
 */
export class Path {
  #samples = 0;
  #shortest = Infinity;
  #shortestBefore = Infinity;
  #since = -Infinity;

  /** In ms; 0 while too little is known. */
  get roundTripMs(): number {
    return this.known ? Math.min(this.#shortest, this.#shortestBefore) : 0;
  }

  get known(): boolean {
    return this.#samples >= ENOUGH_SAMPLES;
  }

  sample(ms: number, now: number): void {
    this.#samples++;
    this.atMost(ms, now);
  }

  /** Something else has shown that a round trip takes no longer than this. */
  atMost(ms: number, now: number): void {
    if (now - this.#since > MEMORY_MS) {
      this.#since = now;
      this.#shortestBefore = this.#shortest;
      this.#shortest = ms;
    } else this.#shortest = Math.min(this.#shortest, ms);
  }
}

/** The PINGs of one stream. They ride on arriving data; without data there are none, and no timer. */
export class Pinger {
  #nonce = 0;
  #pending = false;
  #pingedAt = -Infinity;
  /** The first byte is worth a PING: the stream's own bytes are not in its way yet. */
  #bytes = PING_BYTES;

  constructor(private readonly path: Path) {}

  /** Counts bytes that came at `now`. @returns the nonce of a PING to send, if one is due */
  received(bytes: number, now: number): number | undefined {
    this.#bytes += bytes;
    if (this.#bytes < PING_BYTES || now - this.#pingedAt < this.#waitMs) return undefined;
    this.#bytes = 0;
    this.#pingedAt = now;
    this.#pending = true;
    return ++this.#nonce;
  }

  /** Takes a PONG. @returns whether it answers the last PING */
  pong(nonce: number, now: number): boolean {
    if (!this.#pending || nonce !== this.#nonce) return false;
    this.#pending = false;
    this.path.sample(now - this.#pingedAt, now);
    return true;
  }

  get #waitMs(): number {
    if (this.#pending) return PONG_PATIENCE_MS;
    return this.path.known ? PING_INTERVAL_MS : 0;
  }
}
