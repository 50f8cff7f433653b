import { LIMITS } from '@streamspace/protocol';
import type { OnReadOpts } from 'node:net';

/** What one read brings at most: the payload of one DATA frame, so that bulk is neither cut nor joined on its way. */
const READ_BYTES = LIMITS.dataBytes;
/** Less than this is copied, so that it does not keep a whole buffer alive. */
const SMALL_BYTES = 16 * 1024;
/** Buffers kept for the next bulk reads, for all sockets of this thread together; what comes back beyond is the collector's. */
const MAX_FREE = 16;

const free: Uint8Array[] = [];
let shared: Uint8Array | undefined;

/**
 * The buffers that one socket reads into. Node would make one of 64 KiB for each read, and making and collecting them
 * costs more than the copy that a relay cannot avoid.
 *
 * States: `shared` (all such sockets read into one buffer, and copy from it before anybody else can read: a socket that
 * waits holds none) → `own` (after a read that filled its buffer, so that more is waiting: the next one goes into a
 * buffer of its own, which is handed on as it is) → `shared`.
 */
export class SocketReads {
  /** Takes what was read, which is the taker's to keep. Returns whether to go on, as far as it knows. */
  onBytes: (bytes: Uint8Array) => boolean = () => true;
  #next = sharedBuffer();

  /** For `net.connect`. */
  readonly onread: OnReadOpts = {
    buffer: () => this.#next,
    callback: (count, buffer) => {
      const goesOn = this.onBytes(this.#taken(buffer, count));
      this.#next = count === READ_BYTES && goesOn ? newBuffer() : sharedBuffer();
      return true;
    },
  };

  #taken(buffer: Uint8Array, count: number): Uint8Array {
    const bytes = buffer.subarray(0, count);
    if (buffer !== shared) {
      if (count >= SMALL_BYTES) return bytes;
      const copy = Buffer.from(bytes);
      this.reuse(buffer);
      return copy;
    }
    if (count < READ_BYTES) return Buffer.from(bytes);
    const own = newBuffer();
    own.set(bytes);
    return own;
  }

  /** Takes back bytes that `onBytes` got and nobody looks at any more. */
  reuse(bytes: Uint8Array): void {
    if (bytes.buffer.byteLength === READ_BYTES && free.length < MAX_FREE)
      free.push(new Uint8Array(bytes.buffer));
  }
}

function newBuffer(): Uint8Array {
  // No Buffer, whose `slice` is a view: who copies borrowed bytes with it is to have a copy.
  return free.pop() ?? new Uint8Array(Buffer.allocUnsafeSlow(READ_BYTES).buffer);
}

function sharedBuffer(): Uint8Array {
  shared ??= newBuffer();
  return shared;
}
