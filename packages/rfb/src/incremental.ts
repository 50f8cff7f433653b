import { RfbError } from './errors.js';

/** Asks for the next `n` bytes; they stay valid until the parser asks again. */
export type Need = number;

/**
 * A grammar written as straight code: `const header = yield 4` pauses until four bytes are there.
 * It ends a message by returning it, and is asked for the next one with a new call. A message may take no bytes at all
 * (the end of something counted), but not twice in a row.
 */
export type Grammar<Message> = Generator<Need, Message, Uint8Array>;

const FIRST_CAPACITY = 4096;
/** A buffer that had to grow beyond this for one message is given back after it. */
const KEPT_CAPACITY = 256 * 1024;

/**
 * Runs a grammar over a stream that arrives in any fragments.
 *
 * `push` what arrived, then call `next` until it returns `undefined`. States: reading → failed. Once `next` has thrown,
 * it throws the same error for ever: where one message went wrong, the start of the next is unknown.
 *
 * It holds what was pushed and not yet parsed: at most one unfinished message (bounded by the grammar's limits) and the
 * last fragment, so long as the caller drains it after each push.
 */
export class IncrementalParser<Message> {
  readonly #messages: () => Grammar<Message>;
  #buffer = new Uint8Array(FIRST_CAPACITY);
  #start = 0;
  #end = 0;
  #running: Grammar<Message> | undefined;
  #need = 0;
  /** Whether the grammar that is running has taken bytes. */
  #begun = false;
  #failure: RfbError | undefined;

  /** @param messages called for each message; returns the grammar that reads it */
  constructor(messages: () => Grammar<Message>) {
    this.#messages = messages;
  }

  /** Whether bytes of an unfinished message are held. */
  get midMessage(): boolean {
    return this.#end > this.#start || this.#begun;
  }

  /** Adds a copy of what arrived. */
  push(bytes: Uint8Array): void {
    const held = this.#end - this.#start;
    if (this.#end + bytes.length > this.#buffer.length) {
      const needed = held + bytes.length;
      const target =
        needed > this.#buffer.length
          ? new Uint8Array(Math.max(needed, this.#buffer.length * 2))
          : this.#buffer;
      target.set(this.#buffer.subarray(this.#start, this.#end));
      this.#buffer = target;
      this.#start = 0;
      this.#end = held;
    }
    this.#buffer.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** The next whole message, or `undefined` until more is pushed. Throws {@link RfbError}. */
  next(): Message | undefined {
    if (this.#failure) throw this.#failure;
    try {
      if (!this.#running) {
        this.#running = this.#messages();
        const first = this.#running.next();
        if (first.done) return this.#finish(first.value);
        this.#need = first.value;
      }
      while (this.#end - this.#start >= this.#need) {
        const taken = this.#buffer.subarray(this.#start, this.#start + this.#need);
        this.#start += this.#need;
        this.#begun = true;
        const step = this.#running.next(taken);
        if (step.done) return this.#finish(step.value);
        this.#need = step.value;
      }
      return undefined;
    } catch (cause) {
      this.#failure =
        cause instanceof RfbError
          ? cause
          : new RfbError('bad_message', 'the message cannot be read', { cause });
      this.#buffer = new Uint8Array(0);
      this.#start = this.#end = 0;
      this.#running = undefined;
      throw this.#failure;
    }
  }

  /** Call where the stream ends: throws `truncated` when it ends inside a message. */
  finish(): void {
    if (!this.#failure && this.midMessage) {
      throw new RfbError('truncated', 'the stream ended inside a message');
    }
  }

  #finish(message: Message): Message {
    this.#running = undefined;
    this.#begun = false;
    if (this.#start === this.#end) {
      this.#start = this.#end = 0;
      if (this.#buffer.length > KEPT_CAPACITY) this.#buffer = new Uint8Array(FIRST_CAPACITY);
    }
    return message;
  }
}

/** Big-endian fields, as everywhere in RFB but in pixels. */
export function fields(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
