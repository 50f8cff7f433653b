import { FRAME_HEADER_BYTES } from '@streamspace/protocol';
import type { FrameLink, FrameLinkListener } from '@streamspace/vnc-tunnel';
import type { linkPair } from '@streamspace/vnc-tunnel/testing';
import { mutateBytes } from '../mutate.js';
import type { Random } from '../random.js';
import { frameBytes } from '../protocol/samples.js';

type LinkPair = ReturnType<typeof linkPair>;
type Direction = 'toFar' | 'toNear';

const KNOWN_IDS = 64;

const idOf = (frame: Uint8Array): bigint =>
  new DataView(frame.buffer, frame.byteOffset, frame.length).getBigUint64(2);

/** A link whose owner's calls of `close` are told to `onClose`. */
export function watchCloses(link: FrameLink, onClose: (code: number) => void): FrameLink {
  return {
    send: (bytes) => link.send(bytes),
    get queuedBytes() {
      return link.queuedBytes;
    },
    listen: (listener) => link.listen(listener),
    close: (code, reason) => {
      onClose(code);
      link.close(code, reason);
    },
  };
}

/**
 * The man in the middle of two links: passes frames on, and while it attacks, changes, drops, doubles, delays and
 * invents them, but for those of the streams that were there before.
 */
export class Middle {
  #began = false;
  #attacking = false;
  /** A frame without a whole header was delivered: whoever got it has to close the link. */
  deliveredShort = false;
  /** Streams that were there before the attack. */
  readonly #spared = new Set<bigint>();
  /** Streams that came after. */
  readonly #ids: bigint[] = [];
  #held: { direction: Direction; bytes: Uint8Array } | undefined;
  #last: Uint8Array = new Uint8Array(FRAME_HEADER_BYTES);

  constructor(
    private readonly near: LinkPair,
    private readonly far: LinkPair,
    private readonly random: Random,
    private readonly record: (input: Uint8Array) => void,
  ) {
    near.b.listen(this.#listener('toFar', () => far.cut()));
    far.a.listen(this.#listener('toNear', () => near.cut()));
  }

  #listener(direction: Direction, cut: () => void): FrameLinkListener {
    return {
      onFrame: (bytes) => this.#pass(direction, bytes.slice()),
      onDrain: () => {},
      onClose: cut,
    };
  }

  attack(): void {
    this.#began = this.#attacking = true;
  }

  /** From now on frames pass as they are. */
  calm(): void {
    this.#attacking = false;
  }

  #pass(direction: Direction, bytes: Uint8Array): void {
    const id = idOf(bytes);
    if (!this.#began) this.#spared.add(id);
    if (!this.#attacking || this.#spared.has(id)) return this.#send(direction, bytes);
    const { random } = this;
    if (!this.#ids.includes(id) && this.#ids.length < KNOWN_IDS) this.#ids.push(id);
    const roll = random.next();
    if (roll < 0.5) this.#send(direction, bytes);
    else if (roll < 0.7) this.#deliver(direction, mutateBytes(random, bytes, this.#last));
    else if (roll < 0.8) this.record(bytes);
    else if (roll < 0.9) {
      this.#send(direction, bytes);
      this.#deliver(direction, bytes);
    } else {
      if (this.#held) this.#deliver(this.#held.direction, this.#held.bytes);
      this.#held = { direction, bytes };
    }
    this.#last = bytes;
  }

  /** Sends a frame that nobody sent. @returns whether it was one that may be delivered */
  inject(): boolean {
    const { random } = this;
    const bytes = random.chance(0.4)
      ? mutateBytes(random, this.#last, this.#last)
      : frameBytes(random, this.#ids);
    return this.#deliver(random.pick(['toFar', 'toNear'] as const), bytes);
  }

  /** Delivers what is not as it was sent, unless it could touch a spared stream. */
  #deliver(direction: Direction, bytes: Uint8Array): boolean {
    if (bytes.length < FRAME_HEADER_BYTES) {
      // Each of these ends the link, and with it the round: few are enough.
      if (!this.random.chance(0.05)) return false;
      this.deliveredShort = true;
    } else if (this.#spared.has(idOf(bytes))) return false;
    this.record(bytes);
    this.#send(direction, bytes);
    return true;
  }

  #send(direction: Direction, bytes: Uint8Array): void {
    if (direction === 'toFar') this.far.a.send(bytes);
    else this.near.b.send(bytes);
  }
}
