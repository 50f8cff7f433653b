import { deferred, type Deferred } from './deferred.js';

/** Below this a chunk is copied: a view of a few bytes would keep the message or read buffer behind it alive. */
const SMALL_CHUNK_BYTES = 4 * 1024;
/** Small chunks are gathered in blocks of this size, so that a queue of single bytes costs no object for each. */
const BLOCK_BYTES = 8 * 1024;

/**
 * Bytes that have arrived and wait to be read: the reading half of every channel here.
 *
 * It bounds nothing by itself. Its owner stops the source by `queuedBytes`, and starts it again, or grants credit,
 * when told by `onConsumed` that the reader has dealt with a chunk: at the next `read`, as ByteChannel demands.
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
  #block: { bytes: Uint8Array; used: number } | undefined;
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
    if (bytes.length < SMALL_CHUNK_BYTES) this.#gather(bytes);
    else {
      this.#block = undefined;
      this.#chunks.push(bytes);
    }
  }

  #gather(bytes: Uint8Array): void {
    let block = this.#block;
    if (block && block.used + bytes.length <= block.bytes.length) {
      this.#chunks.pop();
    } else {
      // A lone small chunk gets a buffer of its own size; the next one in a row starts a block.
      block = { bytes: new Uint8Array(block ? BLOCK_BYTES : bytes.length), used: 0 };
      this.#block = block;
    }
    block.bytes.set(bytes, block.used);
    block.used += bytes.length;
    this.#chunks.push(block.bytes.subarray(0, block.used));
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
