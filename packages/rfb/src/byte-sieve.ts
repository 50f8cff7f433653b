import { RfbError } from './errors.js';

/**
 * What decides over a stream, as straight code: `const head = yield 4` waits until four bytes are there and shows them;
 * they are gone unless it calls {@link ByteSieve.emit} with them (whole, or what stands in for them).
 */
export type SieveRules = Generator<number, never, Uint8Array>;

const NOTHING: Uint8Array = new Uint8Array(0);
const FIRST_CAPACITY = 64;

/**
 * Lets a stream through in part. What arrives may be cut anywhere; what is let through unchanged is not copied but
 * where it came in several pieces.
 *
 * States: reading → failed. Once `push` has thrown, it throws the same error for ever: where the next message starts is
 * unknown. It holds at most as many bytes as its rules ask for at once; a `flow` holds none.
 */
export class ByteSieve {
  /** Gone after a failure: it would hold what it was shown last. */
  #rules: SieveRules | undefined;
  #need = 0;
  #held: Uint8Array = new Uint8Array(FIRST_CAPACITY);
  #heldBytes = 0;
  /** Bytes that go by without being shown to the rules, and whether they are let through. */
  #flow = 0;
  #flowPasses = false;
  #passed: Uint8Array[] = [];
  /** What passed last, and where it ends by now: pieces that lie side by side are one. */
  #run = NOTHING;
  #runEnd = 0;
  #failure: RfbError | undefined;

  constructor(rules: (sieve: ByteSieve) => SieveRules) {
    this.#rules = rules(this);
    this.#need = this.#rules.next().value;
  }

  /** For the rules: lets these bytes through. They may be those that were just shown, or others. */
  emit(bytes: Uint8Array): void {
    if (bytes.buffer === this.#run.buffer && bytes.byteOffset === this.#runEnd) {
      this.#runEnd += bytes.length;
      return;
    }
    this.#endRun();
    // What is held will be overwritten by what is held next.
    this.#run = bytes.buffer === this.#held.buffer ? bytes.slice() : bytes;
    this.#runEnd = this.#run.byteOffset + this.#run.length;
  }

  /** For the rules, `yield* sieve.flow(…)`: the next `count` bytes, `Infinity` too, go by without being held. */
  *flow(count: number, passes: boolean): Generator<number, void, Uint8Array> {
    this.#flow = count;
    this.#flowPasses = passes;
    yield 0;
  }

  /** What may pass of these bytes and of what was held before them; it is to be used up before `bytes` is changed. */
  push(bytes: Uint8Array): Uint8Array {
    if (this.#failure) throw this.#failure;
    try {
      for (let at = 0; at < bytes.length;) at = this.#step(bytes, at);
      return this.#take();
    } catch (cause) {
      this.#failure =
        cause instanceof RfbError
          ? cause
          : new RfbError('bad_message', 'the stream cannot be filtered', { cause });
      this.#rules = undefined;
      this.#held = NOTHING;
      this.#run = NOTHING;
      this.#passed = [];
      throw this.#failure;
    }
  }

  #step(bytes: Uint8Array, at: number): number {
    const there = bytes.length - at;
    if (this.#flow > 0) {
      const count = Math.min(this.#flow, there);
      if (this.#flowPasses) this.emit(bytes.subarray(at, at + count));
      this.#flow -= count;
      if (this.#flow === 0) this.#resume(NOTHING);
      return at + count;
    }
    if (this.#heldBytes === 0 && there >= this.#need) {
      const next = at + this.#need;
      this.#resume(bytes.subarray(at, next));
      return next;
    }
    const count = Math.min(this.#need - this.#heldBytes, there);
    if (this.#held.length < this.#need) {
      const larger = new Uint8Array(this.#need);
      larger.set(this.#held.subarray(0, this.#heldBytes));
      this.#held = larger;
    }
    this.#held.set(bytes.subarray(at, at + count), this.#heldBytes);
    this.#heldBytes += count;
    if (this.#heldBytes === this.#need) {
      this.#heldBytes = 0;
      this.#resume(this.#held.subarray(0, this.#need));
    }
    return at + count;
  }

  #resume(shown: Uint8Array): void {
    const rules = this.#rules;
    if (!rules) return;
    this.#need = rules.next(shown).value;
    // Nothing to wait for: an empty list, or a flow of no bytes.
    while (this.#need === 0 && this.#flow === 0) this.#need = rules.next(NOTHING).value;
  }

  #endRun(): void {
    const { buffer, byteOffset } = this.#run;
    if (this.#runEnd > byteOffset)
      this.#passed.push(new Uint8Array(buffer, byteOffset, this.#runEnd - byteOffset));
    this.#run = NOTHING;
    this.#runEnd = 0;
  }

  #take(): Uint8Array {
    this.#endRun();
    const [first = NOTHING, ...others] = this.#passed;
    this.#passed = [];
    if (others.length === 0) return first;
    const whole = new Uint8Array(others.reduce((total, part) => total + part.length, first.length));
    whole.set(first);
    let at = first.length;
    for (const part of others) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }
}
