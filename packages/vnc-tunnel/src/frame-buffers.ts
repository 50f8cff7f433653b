import { encodeData, encodeDataInto, FRAME_HEADER_BYTES } from '@streamspace/protocol';

/** Below this a new buffer costs less than the bookkeeping. */
const SMALL_BYTES = 16 * 1024;

/** A frame, and what to call once the link needs its bytes no more. */
export interface OutgoingFrame {
  readonly bytes: Uint8Array;
  readonly release?: () => void;
}

/**
 * Buffers of DATA frames, used again once the link has handed their bytes on: a bulk stream then allocates, zeroes and
 * collects nothing per frame. Holds no more than were ever under way at once, which the link's queue bounds.
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
    return { bytes: encodeDataInto(buffer.target, streamId, offset, bytes), release: buffer.release };
  }

  #make(): OutgoingBuffer {
    const buffer: OutgoingBuffer = {
      target: new Uint8Array(FRAME_HEADER_BYTES + this.#payloadBytes),
      release: () => this.#free.push(buffer),
    };
    return buffer;
  }
}

interface OutgoingBuffer {
  readonly target: Uint8Array;
  readonly release: () => void;
}
