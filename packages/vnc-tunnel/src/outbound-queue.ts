import { encodeFrame, FRAME_HEADER_BYTES, LIMITS } from '@streamspace/protocol';
import { deferred, type Deferred } from './deferred.js';
import { TunnelError } from './errors.js';
import type { FrameBuffers, OutgoingFrame } from './frame-buffers.js';
import { MAX_WINDOW_BYTES } from './limits.js';
import { ReplayBytes } from './replay-bytes.js';
import type { Counters } from './stats.js';

/**
 * Less credit than this is not used up while so much more is on its way to the far end that a CREDIT for it must come:
 * a window is seldom a whole number of frames, and the crumb that is left would cost as much as a full one
 * (RFC 1122 section 4.2.3.4 has the same rule for TCP).
 */
const CRUMB_BYTES = 4 * 1024;
const MUCH_BYTES = 16 * CRUMB_BYTES;

interface PendingWrite extends Deferred<void> {
  rest: Uint8Array;
}

/**
 * Bytes of one stream that wait for credit and for their turn: the writing half of a tunnel stream.
 *
 * It copies nothing before its turn: what waits are the caller's own chunks, and a caller who awaits each `write`
 * has one waiting.
 *
 * States: `open` → `ending` (`end` was called; END follows the last waiting byte) → `ended` (END was sent), and
 * `failed` from each of them.
 */
export class OutboundQueue {
  #status: 'open' | 'ending' | 'ended' | 'failed' = 'open';
  #error: Error | undefined;
  #writes: PendingWrite[] = [];
  readonly #ending = deferred<void>();
  /** Offset of the next byte to send. */
  #sent = 0;
  /** The far end has consumed every byte below. */
  #consumed = 0;
  /** The far end takes bytes below. */
  #limit = 0;
  readonly #replay = new ReplayBytes();
  /** Since when bytes wait and credit is missing. */
  #stalledAt: number | undefined;

  /** @param now monotonic time in ms */
  constructor(
    private readonly counters: Counters,
    private readonly now: () => number,
  ) {
    // Without a caller of `end` nobody else looks at this promise.
    this.#ending.promise.catch(() => {});
  }

  /** END was sent, or nothing will be. */
  get finished(): boolean {
    return this.#status === 'ended' || this.#status === 'failed';
  }

  /** There is something that may be sent now. */
  get ready(): boolean {
    if (this.#writes.length > 0) return this.#credit > 0;
    return this.#status === 'ending';
  }

  /** How much of the first write may be sent now, in bytes. */
  get #credit(): number {
    const credit = this.#limit - this.#sent;
    const wanted = this.#writes[0]?.rest.length ?? 0;
    if (credit >= CRUMB_BYTES || credit >= wanted) return credit;
    return this.outstandingBytes < MUCH_BYTES ? credit : 0;
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.#status === 'failed') return Promise.reject(this.#error!);
    if (this.#status !== 'open')
      return Promise.reject(new TunnelError('closed', 'nothing can be written after end()'));
    if (bytes.length === 0) return Promise.resolve();
    const write: PendingWrite = Object.assign(deferred<void>(), { rest: bytes });
    this.#writes.push(write);
    this.#noteStall();
    return write.promise;
  }

  /** Resolves when END was handed to the link. */
  end(): Promise<void> {
    if (this.#status === 'open') this.#status = 'ending';
    return this.#ending.promise;
  }

  /**
   * Takes the far end's word on what it has consumed and what it takes. Numbers that are older than the known ones
   * change nothing.
   *
   * @returns what was wrong with it, if it cannot be true
   */
  grant(consumed: number, limit: number): string | undefined {
    if (consumed > this.#sent) return `consumed is ${consumed}, and ${this.#sent} bytes were sent`;
    if (limit - consumed > MAX_WINDOW_BYTES)
      return `limit - consumed is ${limit - consumed}, and at most ${MAX_WINDOW_BYTES} is allowed`;
    if (consumed > this.#consumed) {
      this.#consumed = consumed;
      this.#replay.consumed(consumed);
    }
    this.#limit = Math.max(this.#limit, Math.min(limit, LIMITS.offset));
    this.#noteStall();
    return undefined;
  }

  /** What was sent from `offset` on, for another link; `offset` is one up to which the far end has everything. */
  replayFrom(offset: number): Iterable<Uint8Array> {
    return this.#replay.from(offset);
  }

  /** The stream is over: nothing of it will be sent again. */
  dropReplay(): void {
    this.#replay.clear();
  }

  /** Sent and not reported as consumed, in bytes: at most one window. */
  get outstandingBytes(): number {
    return this.#sent - this.#consumed;
  }

  /**
   * The next frame of at most `quantum` payload bytes, or `undefined` where nothing may be sent.
   *
   * Its bytes are kept until `grant` is told that they were consumed, for a stream that is to outlive its link.
   */
  nextFrame(streamId: bigint, quantum: number, buffers: FrameBuffers): OutgoingFrame | undefined {
    const write = this.#writes[0];
    if (!write) {
      if (this.#status !== 'ending') return undefined;
      this.#status = 'ended';
      this.#ending.resolve();
      return { bytes: encodeFrame({ kind: 'end', streamId, offset: this.#sent }) };
    }
    const credit = this.#credit;
    if (credit <= 0) return undefined;
    const size = Math.min(evenPart(write.rest.length, quantum), credit);
    const frame = buffers.data(streamId, this.#sent, write.rest.subarray(0, size));
    frame.hold?.();
    this.#replay.keep(this.#sent, frame.bytes.subarray(FRAME_HEADER_BYTES), frame.release);
    this.#sent += size;
    this.counters.bytesSent += size;
    if (size === write.rest.length) {
      this.#writes.shift();
      write.resolve();
    } else write.rest = write.rest.subarray(size);
    this.#noteStall();
    return frame;
  }

  fail(error: Error): void {
    if (this.#status === 'failed') return;
    if (this.#status !== 'ended') this.#ending.reject(error);
    this.#status = 'failed';
    this.#error = error;
    const writes = this.#writes;
    this.#writes = [];
    this.dropReplay();
    this.#noteStall();
    for (const write of writes) write.reject(error);
  }

  /** How long the stall that is under way has lasted, in ms. */
  get stallMs(): number {
    return this.#stalledAt === undefined ? 0 : this.now() - this.#stalledAt;
  }

  #noteStall(): void {
    const stalled = this.#writes.length > 0 && this.#credit <= 0;
    if (stalled === (this.#stalledAt !== undefined)) return;
    this.counters.creditStallMs += this.stallMs;
    this.#stalledAt = stalled ? this.now() : undefined;
  }
}

/** How much of `total` to send when it is cut into equal parts of at most `max`: no full frame with a crumb after it. */
function evenPart(total: number, max: number): number {
  return total <= max ? total : Math.ceil(total / Math.ceil(total / max));
}
