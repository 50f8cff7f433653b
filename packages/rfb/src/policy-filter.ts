import { ByteSieve, type SieveRules } from './byte-sieve.js';
import { ClientMessageType, Encoding, SecurityType, type RfbVersion } from './encodings.js';
import { RfbError } from './errors.js';
import { fields } from './incremental.js';
import { resolveLimits, within, type RfbLimits } from './limits.js';
import { allows, allowsExtendedClipboard, GII_MESSAGE, isActivity, type RfbPolicy } from './policy.js';
import { decodeLatin1 } from './text.js';
import { writeSetEncodings } from './write.js';

export interface RfbPolicyFilterOptions {
  /** What the client may send; beyond a limit the filter fails with `limit_exceeded`. @default RFB_LIMITS */
  limits?: Partial<RfbLimits>;
}

/** Bytes of the messages whose length their type tells. */
const FIXED_BYTES: ReadonlyMap<number, number> = new Map([
  [ClientMessageType.setPixelFormat, 20],
  [ClientMessageType.framebufferUpdateRequest, 10],
  [ClientMessageType.keyEvent, 8],
  [ClientMessageType.pointerEvent, 6],
  [ClientMessageType.enableContinuousUpdates, 10],
  [ClientMessageType.xvp, 4],
]);
type Status = 'greeting' | 'version' | 'offered' | 'challenged' | 'init' | 'open' | 'refused';

const VNC_CHALLENGE_BYTES = 16;
/** Security types after which the rest of the stream can be read. */
const READABLE_SECURITY: readonly number[] = [SecurityType.none, SecurityType.vncAuthentication];
/** Exactly these: of others, servers make different things. */
const CLIENT_GREETINGS: ReadonlyMap<string, RfbVersion> = new Map([
  ['RFB 003.003\n', 3],
  ['RFB 003.007\n', 7],
  ['RFB 003.008\n', 8],
]);
const SERVER_GREETING = /^RFB 003\.(\d{3})\n$/;

/**
 * Holds one viewer to a policy: sits between it and a VNC server that it does not trust the viewer with, and lets pass
 * what the policy allows. Give it everything that either side sends, in the order in which it comes, and pass on what it
 * gives back. Fragments may be cut anywhere. Both taps throw {@link RfbError}; abort the connection then.
 *
 * States of the handshake (what a client's bytes mean depends on what the server has said): greeting → version →
 * offered → challenged → init → open; or → refused, after which the client may say nothing. 3.3, 3.7 and 3.8 with
 * security None or VNC authentication; other security types are taken out of the server's offer.
 *
 * What holds: of the client's messages only those of known type and length pass, each whole and unchanged, but for
 * - SetEncodings, where ExtendedMouseButtons is left out (it makes the length of PointerEvent depend on the server's
 *   answer), and the extended clipboard unless the policy is `control` with `both`;
 * - the shared flag of a client that may only watch, which is set: it may not push others out.
 * An unknown type fails with `unknown_message`: its length, and so what would follow it, is not known.
 *
 * What does not hold: that the server's clipboard stays inside where `out` is not allowed. Its texts stand between
 * rectangles whose lengths follow from decoding them. Tell the VNC server not to send any.
 *
 * It holds at most one SetEncodings and the head of one other message.
 */
export class RfbPolicyFilter {
  #policy: RfbPolicy;
  readonly #limits: RfbLimits;
  readonly #client: ByteSieve;
  readonly #server: ByteSieve;
  #status: Status = 'greeting';
  #serverMinor = 0;
  #version: RfbVersion | undefined;
  #offered: readonly number[] = [];
  #security = SecurityType.invalid as number;
  /** What the client last announced, as far as the policy could let it pass. */
  #encodings: readonly number[] | undefined;
  #extendedClipboardGiven = false;
  #dropped = 0;
  #inputs = 0;

  constructor(policy: RfbPolicy, options: RfbPolicyFilterOptions = {}) {
    this.#policy = policy;
    this.#limits = resolveLimits(options.limits);
    this.#client = new ByteSieve((sieve) => this.#clientRules(sieve));
    this.#server = new ByteSieve((sieve) => this.#serverRules(sieve));
  }

  get policy(): RfbPolicy {
    return this.#policy;
  }

  /** Takes effect with the client's next message; one that has begun goes on as it began. */
  set policy(policy: RfbPolicy) {
    this.#policy = policy;
  }

  /** Client messages that were dropped so far. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Key, pointer and clipboard messages that passed so far: whether it grows tells whether somebody is there. */
  get inputs(): number {
    return this.#inputs;
  }

  /** What may pass to the server; empty where that is nothing yet. May be `bytes` itself, or a part of it. */
  fromClient(bytes: Uint8Array): Uint8Array {
    return this.#client.push(bytes);
  }

  /** What may pass to the client: everything, once the handshake is over. May be `bytes` itself. */
  fromServer(bytes: Uint8Array): Uint8Array {
    return this.#server.push(bytes);
  }

  *#serverRules(sieve: ByteSieve): SieveRules {
    const greeting = yield 12;
    const minor = SERVER_GREETING.exec(decodeLatin1(greeting))?.[1];
    if (minor === undefined)
      throw notSpoken('server', greeting, '"RFB 003.008\\n" or another version of RFB 3');
    sieve.emit(greeting);
    this.#serverMinor = Number(minor);
    this.#status = 'version';

    // What this byte begins depends on the client's greeting, which has passed by the time that it comes.
    const first = (yield 1)[0] ?? 0;
    if (this.#version === undefined) throw this.#outOfTurn('server');
    const offered = yield* this.#version === 3 ? this.#decision(sieve, first) : this.#offer(sieve, first);
    if (offered) {
      this.#offered = offered;
      this.#status =
        this.#version !== 3 ? 'offered' : this.#security === SecurityType.none ? 'init' : 'challenged';
      yield* this.#verdict(sieve);
    }
    for (;;) yield* sieve.flow(Infinity, true);
  }

  /** 3.3: the server decides. */
  *#decision(sieve: ByteSieve, first: number): Generator<number, number[] | undefined, Uint8Array> {
    const decision = Uint8Array.of(first, ...(yield 3));
    const type = fields(decision).getUint32(0);
    if (type !== SecurityType.invalid && !READABLE_SECURITY.includes(type)) throw unreadable([type]);
    sieve.emit(decision);
    this.#security = type;
    if (type !== SecurityType.invalid) return [type];
    this.#status = 'refused';
    return undefined;
  }

  *#offer(sieve: ByteSieve, count: number): Generator<number, number[] | undefined, Uint8Array> {
    if (count === 0) {
      sieve.emit(Uint8Array.of(0));
      this.#status = 'refused';
      return undefined;
    }
    const types = [...(yield count)];
    const readable = types.filter((type) => READABLE_SECURITY.includes(type));
    if (readable.length === 0) throw unreadable(types);
    sieve.emit(Uint8Array.of(readable.length, ...readable));
    return readable;
  }

  /** Challenge and result, as far as there are any. */
  *#verdict(sieve: ByteSieve): Generator<number, void, Uint8Array> {
    // The next bytes come after the client's choice, and only they are looked at here.
    const first = yield 1;
    this.#expect('server', 'init', 'challenged', 'open');
    sieve.emit(first);
    let seen = 1;
    if (this.#security === SecurityType.vncAuthentication) {
      yield* sieve.flow(VNC_CHALLENGE_BYTES - seen, true);
      seen = 0;
    } else if (this.#version !== 8) {
      return;
    }
    const result = new Uint8Array(4);
    result.set(first.subarray(0, seen));
    const rest = yield 4 - seen;
    sieve.emit(rest);
    result.set(rest, seen);
    if (fields(result).getUint32(0) !== 0) this.#status = 'refused';
  }

  *#clientRules(sieve: ByteSieve): SieveRules {
    const greeting = yield 12;
    const version = CLIENT_GREETINGS.get(decodeLatin1(greeting));
    if (version === undefined) throw notSpoken('client', greeting, 'those of 3.3, 3.7 and 3.8');
    this.#expect('client', 'version');
    if (version > this.#serverMinor) {
      throw new RfbError(
        'version_unsupported',
        `the client speaks RFB 3.${version}; allowed is at most the server's 3.${this.#serverMinor}`,
      );
    }
    this.#version = version;
    sieve.emit(greeting);

    if (version !== 3) {
      const chosen = yield 1;
      this.#expect('client', 'offered');
      const type = chosen[0] ?? SecurityType.invalid;
      if (!this.#offered.includes(type)) {
        throw new RfbError(
          'security_unsupported',
          `the client chose security ${type}; allowed are ${this.#offered.join(', ')}`,
        );
      }
      this.#security = type;
      this.#status = type === SecurityType.none ? 'init' : 'challenged';
      sieve.emit(chosen);
    }
    const next = yield 1;
    this.#expect('client', 'init', 'challenged');
    let init = next;
    if (this.#security === SecurityType.vncAuthentication) {
      sieve.emit(next);
      yield* sieve.flow(VNC_CHALLENGE_BYTES - 1, true);
      init = yield 1;
      this.#expect('client', 'challenged');
    }
    sieve.emit(this.#policy.role === 'view' ? Uint8Array.of(1) : init);
    this.#status = 'open';
    for (;;) yield* this.#message(sieve);
  }

  #expect(who: string, ...statuses: readonly Status[]): void {
    if (!statuses.includes(this.#status)) throw this.#outOfTurn(who);
  }

  #outOfTurn(who: string): RfbError {
    return new RfbError('bad_message', `the ${who} spoke out of turn in the handshake (${this.#status})`);
  }

  *#message(sieve: ByteSieve): Generator<number, void, Uint8Array> {
    const head = yield 1;
    this.#expect('client', 'open');
    const type = head[0] ?? 0;
    this.#repeatEncodings(sieve);
    if (type === ClientMessageType.setEncodings) return yield* this.#setEncodings(sieve);
    const passes = allows(this.#policy, type);
    if (!passes) this.#dropped += 1;
    else if (isActivity(type)) this.#inputs += 1;
    // A type that is not known fails below, before anything of this message has left.
    const known = FIXED_BYTES.get(type);
    if (known !== undefined) {
      if (passes) sieve.emit(head);
      return yield* sieve.flow(known - 1, passes);
    }
    const start = Uint8Array.of(type);
    const more = yield* this.#restOfHead(type);
    if (passes) {
      sieve.emit(start);
      sieve.emit(more.head);
    }
    if (more.rest > 0) yield* sieve.flow(more.rest, passes);
  }

  /** What follows the type byte up to the message's length, and how many bytes follow that. */
  *#restOfHead(type: number): Generator<number, { head: Uint8Array; rest: number }, Uint8Array> {
    const limits = this.#limits;
    switch (type) {
      case ClientMessageType.clientCutText: {
        const head = yield 7;
        // A negative length is that of an extended text.
        const length = Math.abs(fields(head).getInt32(3));
        return { head, rest: within('the clipboard text', length, limits.cutTextBytes) };
      }
      case ClientMessageType.clientFence: {
        const head = yield 8;
        return { head, rest: within('the payload of a fence', head[7] ?? 0, limits.fenceBytes) };
      }
      case ClientMessageType.setDesktopSize: {
        const head = yield 7;
        return { head, rest: within('the number of screens', head[5] ?? 0, limits.screens) * 16 };
      }
      case GII_MESSAGE: {
        const head = yield 3;
        const bigEndian = ((head[0] ?? 0) & 0x80) !== 0;
        return { head, rest: fields(head).getUint16(1, !bigEndian) };
      }
      case ClientMessageType.qemu: {
        const head = yield 1;
        if (head[0] === 0) return { head, rest: 10 };
        throw new RfbError(
          'unknown_message',
          `QEMU client message ${head[0]}; allowed is 0, an extended key`,
        );
      }
      default:
        throw new RfbError(
          'unknown_message',
          `client message of type ${type}; allowed are ${Object.values(ClientMessageType).join(', ')}`,
        );
    }
  }

  *#setEncodings(sieve: ByteSieve): Generator<number, void, Uint8Array> {
    const head = fields(yield 3);
    const padding = head.getUint8(0);
    const count = within('the number of encodings', head.getUint16(1), this.#limits.encodings);
    const list = fields(yield count * 4);
    this.#encodings = Array.from({ length: count }, (_, index) => list.getInt32(index * 4));
    this.#announce(sieve, this.#encodings, padding);
  }

  /** The client need not know that its policy has changed: what it announced before is weighed anew. */
  #repeatEncodings(sieve: ByteSieve): void {
    if (!this.#encodings?.includes(Encoding.extendedClipboard)) return;
    if (allowsExtendedClipboard(this.#policy) !== this.#extendedClipboardGiven) {
      this.#announce(sieve, this.#encodings);
    }
  }

  #announce(sieve: ByteSieve, encodings: readonly number[], padding = 0): void {
    this.#extendedClipboardGiven = allowsExtendedClipboard(this.#policy);
    const allowed = encodings.filter(
      (encoding) =>
        encoding !== Encoding.extendedMouseButtons &&
        (encoding !== Encoding.extendedClipboard || this.#extendedClipboardGiven),
    );
    const message = writeSetEncodings(allowed);
    message[1] = padding;
    sieve.emit(message);
  }
}

function notSpoken(who: string, greeting: Uint8Array, allowed: string): RfbError {
  const text = JSON.stringify(decodeLatin1(greeting));
  return new RfbError('version_unsupported', `the ${who}'s greeting is ${text}; allowed are ${allowed}`);
}

function unreadable(types: readonly number[]): RfbError {
  return new RfbError(
    'security_unsupported',
    `the server offers security ${types.join(', ')}; allowed are 1, None, and 2, VNC authentication`,
  );
}
