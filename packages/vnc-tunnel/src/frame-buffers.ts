import { encodeData, encodeDataInto, FRAME_HEADER_BYTES } from '@streamspace/protocol';

/** Below this a new buffer costs less than the bookkeeping. */
const SMALL_BYTES = 16 * 1024;

/** Buffers kept for the next frame at most; what comes back beyond is the collector's. */
const MAX_FREE = 64;

/** A frame in a buffer that may be used again. */
export interface OutgoingFrame {
  readonly bytes: Uint8Array;
  /** Says that one holder needs the bytes no more. There is one at first: whoever the frame is handed to. */
  readonly release?: () => void;
  /** Says that there is one holder more. */
  readonly hold?: () => void;
}

/**
 * Buffers of DATA frames, used again once every holder has released them: a bulk stream then allocates, zeroes and
 * collects nothing per frame.
 */
export class FrameBuffers {
  readonly #free: OutgoingBuffer[] = [];
  readonly #payloadBytes: number;

  constructor(payloadBytes: number) {
    this.#payloadBytes = payloadBytes;
  }

  data(streamId: bigint, offset: number, bytes: Uint8Array): OutgoingFrame {
    if (bytes.length < SMALL_BYTES) return { bytes: encodeData(streamId, offset, bytes) };
    const buffer = this.#free.pop() ?? this.#make();
    buffer.hold();
    const { release, hold } = buffer;
    return { bytes: encodeDataInto(buffer.target, streamId, offset, bytes), release, hold };
  }

  #make(): OutgoingBuffer {
    let holders = 0;
    const buffer: OutgoingBuffer = {
      target: new Uint8Array(FRAME_HEADER_BYTES + this.#payloadBytes),
      hold: () => void holders++,
      release: () => {
        if (--holders === 0 && this.#free.length < MAX_FREE) this.#free.push(buffer);
      },
    };
    return buffer;
  }
}

interface OutgoingBuffer {
  readonly target: Uint8Array;
  readonly hold: () => void;
  readonly release: () => void;
}
