import { encodeData, encodeDataInto, FRAME_HEADER_BYTES, LIMITS } from '@streamspace/protocol';

/** What one buffer holds: the largest frame. */
const BUFFER_BYTES = FRAME_HEADER_BYTES + LIMITS.dataBytes;
/**
 * A smaller frame gets a buffer of its own size: it may be kept for as long as its stream stalls, and is to keep no more
 * than twice its bytes.
 */
const SMALL_BYTES = BUFFER_BYTES / 2;
/**
 * Buffers kept for the next frames at most (1 MiB); what comes back beyond is the collector's. As many as one CREDIT of the
 * largest window releases.
 */
const MAX_FREE = 16;

/** A frame in a buffer that may be used again. */
export interface OutgoingFrame {
  readonly bytes: Uint8Array;
  /** Says that one holder needs the bytes no more. There is one at first: whoever the frame is handed to. */
  readonly release?: () => void;
  /** Says that there is one holder more. */
  readonly hold?: () => void;
}

/**
 * Buffers of large DATA frames, used again once every holder has released them: a bulk stream then allocates, zeroes and
 * collects nothing per frame.
 */
export class FrameBuffers {
  readonly #free: OutgoingBuffer[] = [];

  /** What is kept for the next frames, in bytes. */
  get freeBytes(): number {
    return this.#free.length * BUFFER_BYTES;
  }

  /** A frame of these bytes, which are copied. */
  data(streamId: bigint, offset: number, bytes: Uint8Array): OutgoingFrame {
    if (bytes.length < SMALL_BYTES) return { bytes: encodeData(streamId, offset, bytes) };
    const { target, hold, release } = this.#free.pop() ?? this.#make();
    hold();
    return { bytes: encodeDataInto(target, streamId, offset, bytes), release, hold };
  }

  #make(): OutgoingBuffer {
    let holders = 0;
    const buffer: OutgoingBuffer = {
      target: new Uint8Array(BUFFER_BYTES),
      hold: () => void holders++,
      release: () => {
        if (--holders === 0 && this.#free.length < MAX_FREE) this.#free.push(buffer);
      },
    };
    return buffer;
  }
}

/** The ones of all tunnels of this thread: what a burst leaves behind is not kept once for each of them. */
export const frameBuffers = new FrameBuffers();

interface OutgoingBuffer {
  readonly target: Uint8Array;
  readonly hold: () => void;
  readonly release: () => void;
}
