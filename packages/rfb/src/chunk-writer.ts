import type { RfbChannel } from './channel.js';
import { fields } from './incremental.js';

/** Bytes of an update that are encoded ahead of the channel: what one viewer costs, however large its screen. */
export const UPDATE_CHUNK_BYTES = 64 * 1024;

/** Gathers bytes in one reused buffer and hands it to the channel whenever it is full. */
export class ChunkWriter {
  readonly #channel: RfbChannel;
  readonly #bytes = new Uint8Array(UPDATE_CHUNK_BYTES);
  readonly view = fields(this.#bytes);
  /** Where the next byte goes. Whoever writes through `view` moves it. */
  at = 0;

  constructor(channel: RfbChannel) {
    this.#channel = channel;
  }

  get room(): number {
    return UPDATE_CHUNK_BYTES - this.at;
  }

  async put(bytes: Uint8Array): Promise<void> {
    for (let from = 0; from < bytes.length;) {
      if (this.room === 0) await this.flush();
      const part = bytes.subarray(from, from + this.room);
      this.#bytes.set(part, this.at);
      this.at += part.length;
      from += part.length;
    }
  }

  async flush(): Promise<void> {
    if (this.at === 0) return;
    await this.#channel.write(this.#bytes.subarray(0, this.at));
    this.at = 0;
  }
}
