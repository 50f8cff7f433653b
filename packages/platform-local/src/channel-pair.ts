import type { ByteChannel } from '@streamspace/agent-core';

/** Bytes that one direction holds; a writer waits beyond it. */
export const PAIR_BUFFER_BYTES = 64 * 1024;

/** Two ends of a connection inside this process: what is written to one is read from the other. */
export function channelPair(): [ByteChannel, ByteChannel] {
  const there = new Pipe();
  const back = new Pipe();
  const closed = Promise.all([there.over, back.over]).then(([a, b]) => a ?? b);
  return [new End(back, there, closed), new End(there, back, closed)];
}

class End implements ByteChannel {
  readonly #incoming: Pipe;
  readonly #outgoing: Pipe;

  constructor(
    incoming: Pipe,
    outgoing: Pipe,
    readonly closed: Promise<Error | undefined>,
  ) {
    this.#incoming = incoming;
    this.#outgoing = outgoing;
  }

  read(): Promise<Uint8Array | null> {
    return this.#incoming.read();
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#outgoing.write(bytes);
  }

  end(): Promise<void> {
    this.#outgoing.end();
    return Promise.resolve();
  }

  abort(reason: Error = new Error('the connection was aborted')): void {
    this.#incoming.fail(reason);
    this.#outgoing.fail(reason);
  }
}

/** One direction. States: open → ended (by the writer) → over (all is read); or failed from either of the first two. */
class Pipe {
  #status: 'open' | 'ended' | 'over' | 'failed' = 'open';
  #error: Error | undefined;
  readonly #chunks: Uint8Array[] = [];
  /** What was written and not consumed, the chunk that is being dealt with included. */
  #held = 0;
  #dealtWith = 0;
  #reading = false;
  readonly #waiting = new Set<() => void>();
  #settle: (error: Error | undefined) => void = () => undefined;
  readonly over = new Promise<Error | undefined>((resolve) => (this.#settle = resolve));

  async read(): Promise<Uint8Array | null> {
    if (this.#reading) throw new TypeError('a read is pending; one at a time is allowed');
    this.#reading = true;
    try {
      return await this.#next();
    } finally {
      this.#reading = false;
    }
  }

  async #next(): Promise<Uint8Array | null> {
    this.#held -= this.#dealtWith;
    this.#dealtWith = 0;
    this.#changed();
    for (;;) {
      if (this.#error) throw this.#error;
      const chunk = this.#chunks.shift();
      if (chunk) {
        this.#dealtWith = chunk.length;
        return chunk;
      }
      if (this.#status !== 'open') {
        this.#become('over');
        return null;
      }
      await this.#change();
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#checkWritable();
    for (let from = 0; from < bytes.length;) {
      while (this.#held >= PAIR_BUFFER_BYTES && !this.#error) await this.#change();
      this.#checkWritable();
      // A copy: the caller has its chunk back before the reader has dealt with it.
      const part = new Uint8Array(bytes.subarray(from, from + PAIR_BUFFER_BYTES - this.#held));
      this.#chunks.push(part);
      this.#held += part.length;
      from += part.length;
      this.#changed();
    }
  }

  end(): void {
    if (this.#status === 'open') this.#become('ended');
  }

  fail(reason: Error): void {
    if (this.#status === 'over' || this.#status === 'failed') return;
    this.#error = reason;
    this.#chunks.length = 0;
    this.#become('failed');
  }

  #checkWritable(): void {
    if (this.#error) throw this.#error;
    if (this.#status !== 'open') throw new Error('write after end');
  }

  #become(status: 'ended' | 'over' | 'failed'): void {
    this.#status = status;
    if (status !== 'ended') this.#settle(this.#error);
    this.#changed();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  #changed(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }
}
