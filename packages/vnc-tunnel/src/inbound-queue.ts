import { deferred, type Deferred } from './deferred.js';

/**
 * A queue keeps no more than so many times its bytes alive. A chunk is a view of a message, which may be a view of what
 * one read of a socket brought for many streams: where that is more, the chunk is copied.
 */
const PINNED_FACTOR = 2;
/** Smaller chunks are gathered in blocks of at most BLOCK_BYTES: a queue of single bytes costs no object for each. */
const SMALL_CHUNK_BYTES = 4 * 1024;
const BLOCK_BYTES = 8 * 1024;

/**
 * Bytes that have arrived and wait to be read: the reading half of every channel here.
 *
 * It bounds nothing by itself, but it keeps at most twice its bytes alive; the chunk that the reader has is the reader's,
 * and is handed on as it came where the reader was waiting. Its owner stops the source by `queuedBytes`, and starts it
 * again, or grants credit, when told by `onConsumed` that the reader has dealt with a chunk: at the next `read`, as
 * ByteChannel demands.
 *
 * States: `open` → `ended` (the far end's END: what is queued can still be read, then `null`) or `failed` (what is
 * queued is dropped, every read rejects). `ended` may become `failed`; `failed` is final.
 */
export class InboundQueue {
  #status: 'open' | 'ended' | 'failed' = 'open';
  #error: Error | undefined;
  #chunks: Uint8Array[] = [];
  #queuedBytes = 0;
  /** The chunk that the reader has and has not yet dealt with. */
  #lent: Uint8Array | undefined;
  /** The last chunk of the queue while it is a block of our own with room behind it. */
  #block: Block | undefined;
  #waiting: Deferred<Uint8Array | null> | undefined;
  readonly #onConsumed: (bytes: number, chunk: Uint8Array | undefined) => void;

  /** @param onConsumed told of the chunk that was dealt with, if there was one, once for each; and that one was handed out */
  constructor(onConsumed: (bytes: number, chunk: Uint8Array | undefined) => void) {
    this.#onConsumed = onConsumed;
  }

  /** Bytes not yet handed to the reader. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Nothing can arrive any more, and all that arrived was handed out. */
  get finished(): boolean {
    return this.#status === 'failed' || (this.#status === 'ended' && this.#queuedBytes === 0);
  }

  /** Adds bytes that the caller will not change. Ignored after `end` and `fail`. */
  push(bytes: Uint8Array): void {
    if (this.#status !== 'open' || bytes.length === 0) return;
    const waiting = this.#waiting;
    if (waiting) {
      this.#waiting = undefined;
      this.#lent = bytes;
      waiting.resolve(bytes);
      return;
    }
    this.#queuedBytes += bytes.length;
    if (bytes.length < SMALL_CHUNK_BYTES) return this.#gather(bytes);
    this.#block = undefined;
    const isWasteful = bytes.buffer.byteLength > PINNED_FACTOR * bytes.length;
    this.#chunks.push(isWasteful ? new Uint8Array(bytes) : bytes);
  }

  #gather(bytes: Uint8Array): void {
    let block = this.#block;
    if (block && block.used + bytes.length <= BLOCK_BYTES) {
      this.#chunks.pop();
      this.#makeRoom(block, bytes.length);
    } else {
      block = { bytes: new Uint8Array(bytes.length), used: 0 };
      this.#block = block;
    }
    block.bytes.set(bytes, block.used);
    block.used += bytes.length;
    this.#chunks.push(block.bytes.subarray(0, block.used));
  }

  /** Doubles a block that is full. */
  #makeRoom(block: Block, more: number): void {
    const needed = block.used + more;
    if (needed <= block.bytes.length) return;
    const larger = new Uint8Array(Math.min(PINNED_FACTOR * needed, BLOCK_BYTES));
    larger.set(block.bytes.subarray(0, block.used));
    block.bytes = larger;
  }

  end(): void {
    if (this.#status !== 'open') return;
    this.#status = 'ended';
    this.#waiting?.resolve(null);
    this.#waiting = undefined;
  }

  fail(error: Error): void {
    if (this.#status === 'failed') return;
    this.#status = 'failed';
    this.#error = error;
    this.#chunks = [];
    this.#block = undefined;
    this.#queuedBytes = 0;
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }

  read(): Promise<Uint8Array | null> {
    if (this.#waiting)
      return Promise.reject(new TypeError('one read at a time: the one before has not settled'));
    if (this.#status === 'failed') return Promise.reject(this.#error!);
    const dealtWith = this.#lent;
    const chunk = this.#chunks.shift();
    this.#lent = chunk;
    if (chunk) {
      if (this.#chunks.length === 0) this.#block = undefined;
      this.#queuedBytes -= chunk.length;
    }
    if (dealtWith || chunk) this.#onConsumed(dealtWith?.length ?? 0, dealtWith);
    if (chunk) return Promise.resolve(chunk);
    if (this.#status === 'ended') return Promise.resolve(null);
    this.#waiting = deferred();
    return this.#waiting.promise;
  }
}

interface Block {
  bytes: Uint8Array;
  used: number;
}
