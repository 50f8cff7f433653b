import { ByteSieve, type SieveRules } from './byte-sieve.js';
import { ClientMessageType, Encoding, SecurityType, type RfbVersion } from './encodings.js';
import { RfbError } from './errors.js';
import { fields } from './incremental.js';
import { resolveLimits, type RfbLimits } from './limits.js';
import { CLIENT_MESSAGE_SHAPES, cutTextLength } from './message-shapes.js';
import { allows, allowsExtendedClipboard, isActivity, type RfbPolicy } from './policy.js';
import { decodeLatin1 } from './text.js';
import { writeSetEncodings } from './write.js';

export interface RfbPolicyFilterOptions {
  /**
   * What the client may send; beyond a limit the filter fails with `limit_exceeded`, but for a clipboard text, which is
   * dropped. @default RFB_LIMITS
   */
  limits?: Partial<RfbLimits>;
}

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
 * A clipboard text that may not pass is dropped, however long it is, and so is one that is longer than the limit: its
 * bytes are counted, not held, and the stream goes on behind them. A text in the extended form, whose length is
 * negative, passes only while the server has been told of the extended clipboard. So a policy that takes that away from
 * a client which has begun to use it ends the client's clipboard until it connects anew; one that never had it speaks
 * the plain form.
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
    // An unknown type fails before anything of this message has left.
    const shape = CLIENT_MESSAGE_SHAPES.get(type);
    if (!shape) throw unknownType(type);
    if (shape.rest === undefined) {
      const passes = this.#count(type, allows(this.#policy, type));
      if (passes) sieve.emit(head);
      return yield* sieve.flow(shape.bytes, passes);
    }
    // The policy of its start is what holds for a message.
    const allowed = allows(this.#policy, type);
    const start = Uint8Array.of(type);
    const more = yield shape.bytes;
    const rest = shape.rest(more, this.#limits);
    if (type === ClientMessageType.setEncodings) {
      const padding = more[0];
      this.#encodings = numbersOf(yield rest);
      return this.#announce(sieve, this.#encodings, padding);
    }
    const isText = type === ClientMessageType.clientCutText;
    const passes = this.#count(type, allowed && (!isText || this.#takes(more)));
    if (passes) {
      sieve.emit(start);
      sieve.emit(more);
    }
    if (rest > 0) yield* sieve.flow(rest, passes);
  }

  /** Counts a message as one that passes or as one that is dropped. */
  #count(type: number, passes: boolean): boolean {
    if (!passes) this.#dropped += 1;
    else if (isActivity(type)) this.#inputs += 1;
    return passes;
  }

  /** Of a clipboard text that the policy allows: whether its form and its length may pass. */
  #takes(head: Uint8Array): boolean {
    const length = cutTextLength(head);
    if (length < 0 && !this.#extendedClipboardGiven) return false;
    return Math.abs(length) <= this.#limits.cutTextBytes;
  }

  /** The client need not know that its policy has changed: what it announced before is weighed anew. */
  #repeatEncodings(sieve: ByteSieve): void {
    if (!this.#encodings?.includes(Encoding.extendedClipboard)) return;
    if (allowsExtendedClipboard(this.#policy) !== this.#extendedClipboardGiven) {
      this.#announce(sieve, this.#encodings);
    }
  }

  #announce(sieve: ByteSieve, encodings: readonly number[], padding = 0): void {
    this.#extendedClipboardGiven =
      allowsExtendedClipboard(this.#policy) && encodings.includes(Encoding.extendedClipboard);
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

function unknownType(type: number): RfbError {
  const allowed = [...CLIENT_MESSAGE_SHAPES.keys()].join(', ');
  return new RfbError('unknown_message', `client message of type ${type}; allowed are ${allowed}`);
}

function numbersOf(list: Uint8Array): number[] {
  const view = fields(list);
  return Array.from({ length: list.length / 4 }, (_, index) => view.getInt32(index * 4));
}

function unreadable(types: readonly number[]): RfbError {
  return new RfbError(
    'security_unsupported',
    `the server offers security ${types.join(', ')}; allowed are 1, None, and 2, VNC authentication`,
  );
}
