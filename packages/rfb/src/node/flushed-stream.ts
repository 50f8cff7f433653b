import { constants, type Deflate, type Inflate } from 'node:zlib';
import { RfbError } from '../errors.js';

/**
 * A zlib stream that is asked for what comes out of each piece that went in.
 *
 * States: idle ⇄ passing → failed | closed. One `pass` at a time; once one has failed, every other does with the same
 * error. It holds what came out of the running `pass`, at most what that allows and one chunk of zlib's (16 KiB).
 */
export class FlushedStream {
  readonly #zlib: Deflate | Inflate;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #most = 0;
  #error: Error | undefined;
  #fail: (error: Error) => void = () => undefined;

  constructor(zlib: Deflate | Inflate) {
    this.#zlib = zlib;
    zlib.on('data', (part: Uint8Array) => this.#take(part));
    zlib.on('error', (cause) => {
      this.#end(new RfbError('bad_message', `the zlib stream cannot be read: ${cause.message}`, { cause }));
    });
    zlib.on('end', () => this.#end(new RfbError('bad_message', 'the zlib stream has ended')));
  }

  /** What comes out of these bytes up to a flush. Rejects with `limit_exceeded` where it is more than `most` bytes. */
  pass(bytes: Uint8Array, most: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.#fail = reject;
      if (this.#error) return reject(this.#error);
      this.#most = most;
      this.#zlib.write(bytes);
      this.#zlib.flush(constants.Z_SYNC_FLUSH, () => {
        if (!this.#error) resolve(this.#whole());
      });
    });
  }

  close(): void {
    this.#end(new Error('the zlib stream is closed'));
  }

  #take(part: Uint8Array): void {
    this.#bytes += part.length;
    if (this.#bytes > this.#most) {
      this.#end(
        new RfbError('limit_exceeded', `a zlib stream gives more than the ${this.#most} bytes allowed`),
      );
    } else {
      this.#parts.push(part);
    }
  }

  #whole(): Uint8Array {
    const whole = new Uint8Array(this.#bytes);
    let at = 0;
    for (const part of this.#parts) {
      whole.set(part, at);
      at += part.length;
    }
    this.#parts = [];
    this.#bytes = 0;
    return whole;
  }

  #end(error: Error): void {
    if (this.#error) return;
    this.#error = error;
    this.#parts = [];
    this.#zlib.destroy();
    this.#fail(error);
  }
}
