import {
  CLOSE,
  closeReason,
  decodeFrame,
  encodeFrame,
  FRAME_HEADER_BYTES,
  FRAME_KIND,
  ProtocolError,
  type CloseCode,
  type Frame,
  type OpenRequest,
} from '@streamspace/protocol';
import { Acceptor, type OnOpen } from './acceptor.js';
import type { ByteChannel } from './byte-channel.js';
import { creditBudget, type CreditBudget } from './credit-budget.js';
import { deferred } from './deferred.js';
import { asError, closedError, reporter, resetCodeOf, TunnelError } from './errors.js';
import type { FrameLink } from './frame-link.js';
import {
  checkLimit,
  MAX_DELAY_MS,
  MAX_WINDOW_BYTES,
  resolveTunnelLimits,
  type TunnelLimits,
} from './limits.js';
import { ReceiveWindow } from './receive-window.js';
import { Path } from './round-trip.js';
import { Scheduler } from './scheduler.js';
import { countOne, Counters, type TunnelStats } from './stats.js';
import { TunnelStream } from './stream.js';

export interface TunnelOptions {
  /** The connection. It stays the caller's: `close` ends the streams and not the link. */
  link: FrameLink;
  /**
   * Dials what the far end asks for; the channel is joined to the stream. A rejection becomes a RESET with the error's
   * `code` where RESET has it (`session_not_found`, `connect_failed`, `refused`, `limit_reached`, …), otherwise with
   * `connect_failed`. `signal` aborts when the far end gives up or the tunnel ends; a channel that comes later is
   * aborted. What is no channel becomes a RESET `internal`. There is no time limit but the far end's patience. Without
   * `onOpen` every OPEN is refused.
   */
  onOpen?: OnOpen;
  /** What went wrong where no caller can be told; `where` names the step. */
  onError?: (error: unknown, where: string) => void;
  limits?: Partial<TunnelLimits>;
  /** Bounds what all tunnels that share it grant together. @default one of 256 MiB for this tunnel alone */
  creditBudget?: CreditBudget;
  /** Monotonic time in ms; tests give their own. @default performance.now */
  now?: () => number;
}

export interface OpenOptions {
  /** Gives the open up; it rejects with the signal's reason. Without effect once it has resolved. */
  signal?: AbortSignal;
  /** How long the far end may take to answer, in ms. @default limits.openTimeoutMs */
  timeoutMs?: number;
}

/** Many byte streams over one message connection. */
export interface Tunnel extends AsyncDisposable {
  /**
   * Asks the far end for a stream; resolves when it has connected.
   *
   * A write to the stream resolves when its bytes are framed and in the link, whose queue is bounded by
   * `limits.socketQueueBytes`; they are sent only within the far end's credit.
   *
   * @throws TunnelError with what the far end answered (`session_not_found`, `connect_failed`, `refused`,
   *   `limit_reached`, …), `limit_reached`, `timeout`, `link_lost` or `closed`; or the signal's reason
   */
  open(request: OpenRequest, options?: OpenOptions): Promise<ByteChannel>;
  /** Streams that hold something, those being opened included. */
  readonly streams: number;
  /** Frames that were dropped: of unknown kind, or for streams that are over or were never there. */
  readonly ignoredFrames: number;
  /** Counters and gauges as of now, for metrics. Costs one pass over the streams. */
  stats(): TunnelStats;
  /**
   * Resets every stream with `going_away` and resolves when all is released, dialled channels included. Idempotent.
   * The link stays open, and what the far end asks on it from here on is not answered: close the connection next.
   */
  close(): Promise<void>;
  /**
   * Resets every stream because of `reason`, without waiting; the far end gets its first 123 bytes. Idempotent, and the
   * link stays open as after `close`.
   */
  abort(reason?: Error): void;
  /**
   * Settles when the tunnel has ended: with nothing after `close`, with the reason otherwise; that is `link_lost` where
   * the connection is gone, or is being closed because the far end broke the protocol (`cause` says how). Never rejects.
   */
  readonly closed: Promise<Error | undefined>;
}

/** Makes the one tunnel of a link. Frames that came before this call are not seen. */
export function createTunnel(options: TunnelOptions): Tunnel {
  return new LinkTunnel(options, resolveTunnelLimits(options.limits));
}

/**
 * The streams of one link.
 *
 * States: `open` → `ended` (by `close`, `abort`, the loss of the link, or a violation for which the link is being closed
 * here; every stream has failed and nothing more is sent or taken). What `onOpen` has dialled may still be on its way
 * out; `close` waits for it.
 */
class LinkTunnel implements Tunnel {
  #status: 'open' | 'ended' = 'open';
  readonly #link: FrameLink;
  readonly #limits: TunnelLimits;
  readonly #scheduler: Scheduler;
  readonly #budget: CreditBudget;
  readonly #now: () => number;
  readonly #counters = new Counters();
  readonly #path = new Path();
  readonly #onOpen: TunnelOptions['onOpen'];
  readonly #onError: (error: unknown, where: string) => void;
  readonly #unlisten: () => void;
  readonly #streams = new Map<bigint, TunnelStream>();
  readonly #closed = deferred<Error | undefined>();
  readonly #acceptor: Acceptor;
  /** Opens that wait for the far end. */
  #opening = 0;
  #malformedFrames = 0;
  #closing: Promise<void> | undefined;
  readonly #onStreamClosed = (stream: TunnelStream): void => {
    this.#streams.delete(stream.id);
  };

  constructor(options: TunnelOptions, limits: TunnelLimits) {
    this.#link = options.link;
    this.#limits = limits;
    this.#budget = options.creditBudget ?? creditBudget();
    this.#now = options.now ?? (() => performance.now());
    this.#onOpen = options.onOpen;
    this.#onError = reporter(options.onError);
    this.#acceptor = new Acceptor(this.#counters, this.#onError);
    this.#scheduler = new Scheduler(options.link, limits, () => {
      const tooMuch = `controlQueueBytes: more than ${limits.controlQueueBytes} bytes of answers wait to be read`;
      this.#closeLink(CLOSE.limitReached, new TunnelError('limit_reached', tooMuch));
    });
    this.#unlisten = options.link.listen({
      onFrame: (bytes) => this.#onFrame(bytes),
      onDrain: () => this.#scheduler.drained(),
      onClose: (reason) => this.#lose(`the connection is gone: ${reason.message}`, reason),
    });
  }

  get streams(): number {
    return this.#streams.size;
  }

  get ignoredFrames(): number {
    return this.#counters.ignoredFrames;
  }

  stats(): TunnelStats {
    const { openFailures, acceptFailures, resetsSent, resetsReceived, ...counts } = this.#counters;
    const stats: TunnelStats = {
      ...counts,
      openFailures: { ...openFailures },
      acceptFailures: { ...acceptFailures },
      resetsSent: { ...resetsSent },
      resetsReceived: { ...resetsReceived },
      streams: this.#streams.size,
      linkQueueBytes: this.#link.queuedBytes,
      controlQueueBytes: this.#scheduler.controlBytes,
      unreadBytes: 0,
      outstandingBytes: 0,
      grantedBytes: 0,
    };
    for (const stream of this.#streams.values()) {
      stats.creditStallMs += stream.stallMs;
      stats.unreadBytes += stream.unreadBytes;
      stats.outstandingBytes += stream.outstandingBytes;
      stats.grantedBytes += stream.grantedBytes;
    }
    return stats;
  }

  get closed(): Promise<Error | undefined> {
    return this.#closed.promise;
  }

  async open(request: OpenRequest, options: OpenOptions = {}): Promise<ByteChannel> {
    const timeoutMs = checkLimit('timeoutMs', options.timeoutMs ?? this.#limits.openTimeoutMs, MAX_DELAY_MS);
    options.signal?.throwIfAborted();
    try {
      const stream = await this.#request(request, timeoutMs, options.signal);
      this.#counters.opened++;
      return stream;
    } catch (error) {
      countOne(this.#counters.openFailures, error instanceof TunnelError ? error.code : 'cancelled');
      throw error;
    }
  }

  async #request(request: OpenRequest, timeoutMs: number, signal?: AbortSignal): Promise<TunnelStream> {
    if (this.#status === 'ended') throw (await this.#closed.promise) ?? closedError();
    const stream = this.#add(this.#newId(), 'opening', this.#opening);
    if (typeof stream === 'string') throw new TunnelError('limit_reached', stream);
    let givenUp: Error | undefined;
    const giveUp = (reason: Error): void => {
      givenUp = reason;
      stream.abort(reason);
    };
    const onAbort = (): void => giveUp(asError(signal?.reason));
    const timer = setTimeout(
      () => giveUp(new TunnelError('timeout', `the far end did not answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#opening++;
    try {
      await stream.request(request);
      // It may have been given up after ACCEPT came and before anybody could be told.
      if (givenUp) throw givenUp;
      return stream;
    } finally {
      this.#opening--;
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#leave(undefined);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        const error = new TunnelError(
          'timeout',
          `closeTimeoutMs: ${this.#acceptor.unreleased} channels of onOpen were not released within ${this.#limits.closeTimeoutMs} ms`,
        );
        this.#onError(error, 'close');
        resolve();
      }, this.#limits.closeTimeoutMs);
    });
    await Promise.race([this.#acceptor.released(), late]);
    clearTimeout(timer);
  }

  abort(reason?: Error): void {
    this.#leave(reason ?? closedError());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Ends the tunnel on a link that stays: each stream is reset. */
  #leave(error: Error | undefined): void {
    if (this.#status === 'ended') return;
    const reason = error ?? closedError();
    const code = resetCodeOf(error, 'going_away');
    // These are not held against `controlQueueBytes`, which is for what the far end causes: there is one for each
    // stream, and each is short.
    const text = closeReason(reason.message);
    const resets = [...this.#streams.keys()].map((streamId) =>
      encodeFrame({ kind: 'reset', streamId, code, reason: text }),
    );
    for (const _ of resets) countOne(this.#counters.resetsSent, code);
    this.#scheduler.finish(resets);
    this.#end(error, reason);
  }

  /** Ends the tunnel on a link that takes nothing any more. */
  #lose(message: string, cause: Error): void {
    const error = new TunnelError('link_lost', message, { cause });
    this.#end(error, error);
  }

  /** The far end broke the protocol beyond one stream. Nothing that the link still brings is looked at. */
  #closeLink(code: CloseCode, violation: TunnelError): void {
    if (this.#status === 'ended') return;
    this.#link.close(code, violation.message);
    this.#lose(`the connection is being closed: ${violation.message}`, violation);
  }

  #end(error: Error | undefined, reason: Error): void {
    if (this.#status === 'ended') return;
    this.#status = 'ended';
    this.#scheduler.stop();
    this.#unlisten();
    for (const stream of [...this.#streams.values()]) stream.fail(reason);
    this.#closed.resolve(error);
  }

  /** @returns the limit that is in the way, if one is */
  #add(id: bigint, status: 'opening' | 'dialing', opensInFlight: number): TunnelStream | string {
    const full = this.#limitReached(opensInFlight);
    if (full) return full;
    const window = ReceiveWindow.reserve({
      initialWindowBytes: this.#limits.initialWindowBytes,
      maxWindowBytes: this.#limits.maxWindowBytes,
      windowIdleMs: this.#limits.windowIdleMs,
      budget: this.#budget,
      path: this.#path,
      isShared: () => this.#streams.size > 1,
      now: this.#now,
    });
    if (!window) return `creditBudget: all of its ${this.#budget.bytes} bytes are granted`;
    const stream = new TunnelStream(id, status, {
      scheduler: this.#scheduler,
      window,
      counters: this.#counters,
      now: this.#now,
      onClosed: this.#onStreamClosed,
    });
    this.#streams.set(id, stream);
    return stream;
  }

  #newId(): bigint {
    for (;;) {
      const id = crypto.getRandomValues(new BigUint64Array(1))[0]!;
      if (!this.#streams.has(id)) return id;
    }
  }

  #limitReached(opensInFlight: number): string | undefined {
    const { streams, opensInFlight: opens } = this.#limits;
    if (this.#streams.size >= streams) return `streams: at most ${streams} at once on one tunnel`;
    if (opensInFlight >= opens) return `opensInFlight: at most ${opens} opens may wait for an answer`;
    return undefined;
  }

  // ---- frames

  #onFrame(bytes: Uint8Array): void {
    // A link may have had some in hand when it was told to stop.
    if (this.#status === 'ended') return;
    let frame: Frame;
    try {
      frame = decodeFrame(bytes);
    } catch (error) {
      this.#onUnreadable(bytes, error);
      return;
    }
    switch (frame.kind) {
      case 'open':
        return this.#onOpenFrame(frame.streamId, frame.credit, frame.request);
      case 'ping':
        this.#scheduler.control(encodeFrame({ ...frame, kind: 'pong' }));
        return;
      default: {
        const stream = this.#streams.get(frame.streamId);
        // A stream that was reset here goes on to receive what was under way.
        if (stream) stream.receive(frame);
        else this.#counters.ignoredFrames++;
      }
    }
  }

  /** A frame whose header can be read costs its stream, any other costs the connection. */
  #onUnreadable(bytes: Uint8Array, thrown: unknown): void {
    if (thrown instanceof ProtocolError && thrown.code === 'unknown_frame') {
      this.#counters.ignoredFrames++;
      return;
    }
    this.#malformedFrames++;
    const error = asError(thrown);
    this.#onError(error, 'frame');
    const violation = new TunnelError('protocol_error', error.message, { cause: error });
    if (bytes.length < FRAME_HEADER_BYTES || this.#malformedFrames > this.#limits.malformedFrames)
      return this.#closeLink(CLOSE.protocolError, violation);
    const id = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getBigUint64(2);
    const stream = this.#streams.get(id);
    if (stream) stream.reset('protocol_error', violation);
    else if (bytes[0] === FRAME_KIND.open) this.#refuse(id, violation);
    else this.#counters.ignoredFrames++;
  }

  #refuse(streamId: bigint, error: TunnelError): void {
    const code = resetCodeOf(error, 'refused');
    countOne(this.#counters.acceptFailures, code);
    const frame = encodeFrame({ kind: 'reset', streamId, code, reason: error.message });
    if (this.#scheduler.control(frame)) countOne(this.#counters.resetsSent, code);
  }

  #onOpenFrame(id: bigint, credit: number, request: OpenRequest): void {
    // OPEN is idempotent by id: the one that is there goes on.
    if (this.#streams.has(id)) return;
    const onOpen = this.#onOpen;
    if (!onOpen) return this.#refuse(id, new TunnelError('refused', 'this end accepts no streams'));
    if (credit > MAX_WINDOW_BYTES) {
      const message = `OPEN grants ${credit} bytes, and at most ${MAX_WINDOW_BYTES} is allowed`;
      return this.#refuse(id, new TunnelError('flow_control', message));
    }
    const stream = this.#add(id, 'dialing', this.#acceptor.dialing);
    if (typeof stream === 'string') return this.#refuse(id, new TunnelError('limit_reached', stream));
    this.#acceptor.accept(stream, credit, request, onOpen);
  }
}
