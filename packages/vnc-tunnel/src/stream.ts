import { encodeFrame, type Frame, type OpenRequest, type ResetReason } from '@streamspace/protocol';
import type { ByteChannel } from './byte-channel.js';
import { deferred, type Deferred } from './deferred.js';
import { asError, resetCodeOf, TunnelError } from './errors.js';
import type { FrameBuffers, OutgoingFrame } from './frame-buffers.js';
import { InboundQueue } from './inbound-queue.js';
import { OutboundQueue } from './outbound-queue.js';
import type { ReceiveWindow } from './receive-window.js';
import type { Scheduler, Sender } from './scheduler.js';
import { countOne, type Counters } from './stats.js';

/** A frame that concerns a stream which is there. */
export type StreamFrame = Exclude<Frame, { kind: 'open' | 'ping' }>;

/** What a stream is made from. */
export interface TunnelStreamParts {
  readonly scheduler: Scheduler;
  readonly window: ReceiveWindow;
  readonly counters: Counters;
  /** Monotonic time in ms. */
  readonly now: () => number;
  readonly onClosed: (stream: TunnelStream) => void;
}

/**
 * One end of one stream.
 *
 * States:
 *
 *   opening  we sent OPEN; nothing may be written or arrive until ACCEPT
 *   dialing  OPEN arrived, what it names is being dialled; nothing may arrive until our ACCEPT
 *   open     bytes flow; each direction ends by itself with END
 *   closed   both directions ended and all bytes were handed out, or RESET was sent or arrived, or the link is gone
 *
 * Offsets are absolute, per direction. The far end may send below the window's `limit`, which is what was consumed and
 * announced plus one window: so it never holds more than what was granted of bytes that were not consumed.
 */
export class TunnelStream implements ByteChannel, Sender {
  #status: 'opening' | 'dialing' | 'open' | 'closed';
  readonly #inbound = new InboundQueue((bytes) => this.#onConsumed(bytes));
  readonly #outbound: OutboundQueue;
  readonly #window: ReceiveWindow;
  readonly #scheduler: Scheduler;
  readonly #accepted = deferred<void>();
  readonly #closed = deferred<Error | undefined>();
  #received = 0;
  #endReceived = false;
  #delivered: Deferred<void> | undefined;

  constructor(
    readonly id: bigint,
    status: 'opening' | 'dialing',
    private readonly parts: TunnelStreamParts,
  ) {
    this.#status = status;
    this.#scheduler = parts.scheduler;
    this.#window = parts.window;
    this.#outbound = new OutboundQueue(parts.counters, parts.now);
    // Nobody waits for it on the accepting side.
    this.#accepted.promise.catch(() => {});
  }

  get status(): 'opening' | 'dialing' | 'open' | 'closed' {
    return this.#status;
  }

  get closed(): Promise<Error | undefined> {
    return this.#closed.promise;
  }

  // ---- what it holds

  get unreadBytes(): number {
    return this.#inbound.queuedBytes;
  }

  get outstandingBytes(): number {
    return this.#outbound.outstandingBytes;
  }

  get grantedBytes(): number {
    return this.#window.grantedBytes;
  }

  get stallMs(): number {
    return this.#outbound.stallMs;
  }

  // ---- the two ways to become open

  /** Asks the far end for the stream; resolves with its ACCEPT. */
  request(request: OpenRequest): Promise<void> {
    this.#scheduler.control(
      encodeFrame({ kind: 'open', streamId: this.id, credit: this.#window.limit, request }),
    );
    return this.#accepted.promise;
  }

  /** Answers the far end's OPEN, which granted `credit`. */
  accept(credit: number): void {
    if (this.#status !== 'dialing') return;
    this.#status = 'open';
    this.#scheduler.control(encodeFrame({ kind: 'accept', streamId: this.id, credit: this.#window.limit }));
    this.#grant(0, credit);
  }

  // ---- ByteChannel

  read(): Promise<Uint8Array | null> {
    return this.#inbound.read();
  }

  write(bytes: Uint8Array): Promise<void> {
    const written = this.#outbound.write(bytes);
    this.#scheduler.ready(this);
    return written;
  }

  end(): Promise<void> {
    const ended = this.#outbound.end();
    this.#scheduler.ready(this);
    return ended;
  }

  delivered(): Promise<void> {
    this.#delivered ??= deferred();
    if (this.#status === 'closed')
      void this.closed.then((error) => (error ? this.#delivered!.reject(error) : this.#delivered!.resolve()));
    else this.#noteDelivery();
    return this.#delivered.promise;
  }

  abort(reason?: Error): void {
    const error = reason ?? new TunnelError('cancelled', 'the stream was aborted here');
    this.reset(resetCodeOf(error, 'cancelled'), error);
  }

  // ---- Sender

  get ready(): boolean {
    return this.#status === 'open' && this.#outbound.ready;
  }

  nextFrame(quantumBytes: number, buffers: FrameBuffers): OutgoingFrame | undefined {
    const frame = this.#outbound.nextFrame(this.id, quantumBytes, buffers);
    this.#noteDelivery();
    this.#closeIfFinished();
    return frame;
  }

  creditFrame(): Uint8Array {
    return encodeFrame({ kind: 'credit', streamId: this.id, ...this.#window.announce() });
  }

  // ---- what the far end says

  receive(frame: StreamFrame): void {
    switch (frame.kind) {
      case 'data':
        return this.#receiveData(frame.offset, frame.bytes);
      case 'credit':
        return this.#grant(frame.consumed, frame.limit);
      case 'accept':
        return this.#receiveAccept(frame.credit);
      case 'end':
        return this.#receiveEnd(frame.offset);
      case 'pong':
        if (!this.#window.pong(frame.nonce)) this.parts.counters.ignoredFrames++;
        return;
      case 'reset':
        countOne(this.parts.counters.resetsReceived, frame.code);
        return this.fail(
          new TunnelError(frame.code, frame.reason || `the far end reset the stream: ${frame.code}`),
        );
      // Later versions of this end change policies and resume streams; this one was never offered to.
      case 'policy':
      case 'resume':
      case 'resumeAck':
        return;
    }
  }

  #receiveAccept(credit: number): void {
    if (this.#status !== 'opening') return;
    this.#status = 'open';
    this.#grant(0, credit);
    this.#accepted.resolve();
  }

  #receiveData(offset: number, bytes: Uint8Array): void {
    if (this.#status !== 'open')
      return this.#violation('flow_control', 'DATA came before ACCEPT: no byte may be sent yet');
    if (this.#endReceived) return this.#violation('protocol_error', 'DATA came after END');
    if (offset !== this.#received)
      return this.#violation('protocol_error', `DATA at offset ${offset}, expected ${this.#received}`);
    const { limit } = this.#window;
    if (offset + bytes.length > limit)
      return this.#violation('flow_control', `DATA up to ${offset + bytes.length}, and ${limit} was granted`);
    this.#received += bytes.length;
    this.parts.counters.bytesReceived += bytes.length;
    const nonce = this.#window.received(bytes.length);
    if (nonce !== undefined) this.#scheduler.control(encodeFrame({ kind: 'ping', streamId: this.id, nonce }));
    this.#inbound.push(bytes);
  }

  #receiveEnd(offset: number): void {
    if (this.#status !== 'open') return this.#violation('protocol_error', 'END came before ACCEPT');
    if (offset !== this.#received)
      return this.#violation('protocol_error', `END at offset ${offset}, expected ${this.#received}`);
    this.#endReceived = true;
    this.#inbound.end();
    this.#tellLast();
    this.#closeIfFinished();
  }

  #grant(consumed: number, limit: number): void {
    const wrong = this.#outbound.grant(consumed, limit);
    if (wrong) return this.#violation('flow_control', wrong);
    this.#noteDelivery();
    this.#scheduler.ready(this);
  }

  #violation(code: ResetReason, message: string): void {
    this.reset(code, new TunnelError(code, message));
  }

  // ---- consuming and closing

  #onConsumed(bytes: number): void {
    if (this.#window.consumed(bytes) && this.#status === 'open') this.#scheduler.credit(this);
    this.#tellLast();
    this.#closeIfFinished();
  }

  /** The far end waits to hear that all of its direction was consumed before it drops the other one. */
  #tellLast(): void {
    const { consumedBytes, announcedBytes } = this.#window;
    const isDue = this.#endReceived && consumedBytes === this.#received && announcedBytes < consumedBytes;
    if (isDue && this.#status === 'open') this.#scheduler.credit(this);
  }

  #noteDelivery(): void {
    if (this.#outbound.finished && this.#outbound.outstandingBytes === 0) this.#delivered?.resolve();
  }

  #closeIfFinished(): void {
    if (this.#status !== 'open' || !this.#inbound.finished || !this.#outbound.finished) return;
    // The far end may wait to hear of it, and what is due is not sent for a stream that is over.
    if (this.#window.announcedBytes < this.#received) {
      this.#window.consumed(this.#received - this.#window.consumedBytes);
      this.#scheduler.control(this.creditFrame());
    }
    this.#release(undefined);
  }

  /** Ends the stream at once and tells the far end why. */
  reset(code: ResetReason, error: Error): void {
    if (this.#status === 'closed') return;
    const frame = encodeFrame({ kind: 'reset', streamId: this.id, code, reason: asError(error).message });
    if (this.#scheduler.control(frame)) countOne(this.parts.counters.resetsSent, code);
    this.fail(error);
  }

  /** Ends the stream at once without telling the far end, which knows or cannot be told. */
  fail(error: Error): void {
    if (this.#status === 'closed') return;
    this.#inbound.fail(error);
    this.#outbound.fail(error);
    this.#accepted.reject(error);
    this.#release(error);
  }

  #release(error: Error | undefined): void {
    this.#status = 'closed';
    this.#window.release();
    this.#outbound.dropReplay();
    this.#scheduler.remove(this);
    this.parts.onClosed(this);
    this.#closed.resolve(error);
    if (error) this.#delivered?.reject(error);
    else this.#delivered?.resolve();
  }
}
