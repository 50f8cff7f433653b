/** Below this bytes are gathered in blocks: a chunk of its own for each key press would cost many times its bytes. */
const SMALL_BYTES = 4 * 1024;
/** A block is made twice as large as what is in the block right before it, between these sizes. */
const MIN_BLOCK_BYTES = 64;
const MAX_BLOCK_BYTES = 8 * 1024;

interface Chunk {
  /** Offset of the first byte. */
  readonly start: number;
  /** A block may have room behind `used`. */
  readonly bytes: Uint8Array;
  used: number;
  /** The holder needs the bytes no more. */
  readonly release: (() => void) | undefined;
  /** Made here for small ones. */
  readonly isBlock: boolean;
}

/**
 * The bytes of one direction of a stream that were sent and not reported as consumed: what a stream that is to go on
 * over another link has to send again. Credit bounds them to one window, and what they keep alive is at most twice that,
 * with a chunk of which a part was consumed and one block.
 */
export class ReplayBytes {
  #chunks: Chunk[] = [];
  /** Chunks before this one are dropped; the array is cut now and then, not each time. */
  #first = 0;

  /**
   * Adds bytes at `start`, which is where the ones before ended. They are not changed before `release` is called;
   * small ones are copied, and released at once.
   */
  keep(start: number, bytes: Uint8Array, release?: () => void): void {
    if (bytes.length >= SMALL_BYTES) {
      this.#chunks.push({ start, bytes, used: bytes.length, release, isBlock: false });
      return;
    }
    const last = this.#chunks.at(-1);
    if (last && last.bytes.length - last.used >= bytes.length) {
      last.bytes.set(bytes, last.used);
      last.used += bytes.length;
    } else {
      const before = last?.isBlock ? last.used : 0;
      const size = Math.max(MIN_BLOCK_BYTES, bytes.length, Math.min(MAX_BLOCK_BYTES, 2 * before));
      const block = new Uint8Array(size);
      block.set(bytes);
      this.#chunks.push({ start, bytes: block, used: bytes.length, release: undefined, isBlock: true });
    }
    release?.();
  }

  /** Drops what lies below `offset`. */
  consumed(offset: number): void {
    const chunks = this.#chunks;
    while (this.#first < chunks.length && chunks[this.#first]!.start + chunks[this.#first]!.used <= offset)
      chunks[this.#first++]!.release?.();
    if (this.#first === chunks.length || this.#first >= 64) {
      chunks.splice(0, this.#first);
      this.#first = 0;
    }
  }

  /** What is kept from `offset` on, as views that hold until the next call of another method. */
  *from(offset: number): Generator<Uint8Array> {
    for (const { start, bytes, used } of this.#chunks.slice(this.#first)) {
      const skipped = Math.max(0, offset - start);
      if (skipped < used) yield bytes.subarray(skipped, used);
    }
  }

  /** Bytes of memory that are held: whole buffers, however much of each is used. */
  get heldBytes(): number {
    return this.#chunks.slice(this.#first).reduce((sum, { bytes }) => sum + bytes.buffer.byteLength, 0);
  }

  clear(): void {
    this.consumed(Infinity);
  }
}
