import { encodeFrame, LIMITS, type Frame, type OpenRequest, type ResetReason } from '@streamspace/protocol';
import type { ByteChannel } from './byte-channel.js';
import { deferred } from './deferred.js';
import { asError, resetCodeOf, TunnelError } from './errors.js';
import type { FrameBuffers, OutgoingFrame } from './frame-buffers.js';
import { InboundQueue } from './inbound-queue.js';
import { OutboundQueue } from './outbound-queue.js';
import type { Scheduler, Sender } from './scheduler.js';

const WINDOW_BYTES = LIMITS.initialWindowBytes;

/**
 * How much has to be consumed before the far end is told, in bytes. A quarter of the window costs few frames and
 * leaves the far end three quarters to send meanwhile.
 */
const CREDIT_STEP_BYTES = WINDOW_BYTES / 4;

/** A frame that concerns a stream which is there. */
export type StreamFrame = Exclude<Frame, { kind: 'open' } | { kind: 'ping' | 'pong' }>;

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
 * Offsets are absolute, per direction. The far end may send below `limit`, which is what was consumed and announced
 * plus one window: so it never holds more than one window of bytes that were not consumed.
 */
export class TunnelStream implements ByteChannel, Sender {
  #status: 'opening' | 'dialing' | 'open' | 'closed';
  readonly #inbound = new InboundQueue((bytes) => this.#onConsumed(bytes));
  readonly #outbound = new OutboundQueue();
  readonly #accepted = deferred<void>();
  readonly #closed = deferred<Error | undefined>();
  #received = 0;
  #endReceived = false;
  #consumed = 0;
  /** What the far end was last told of `#consumed`. */
  #announced = 0;

  constructor(
    readonly id: bigint,
    status: 'opening' | 'dialing',
    private readonly scheduler: Scheduler,
    private readonly onClosed: (stream: TunnelStream) => void,
  ) {
    this.#status = status;
    // Nobody waits for it on the accepting side.
    this.#accepted.promise.catch(() => {});
  }

  get status(): 'opening' | 'dialing' | 'open' | 'closed' {
    return this.#status;
  }

  get closed(): Promise<Error | undefined> {
    return this.#closed.promise;
  }

  // ---- the two ways to become open

  /** Asks the far end for the stream; resolves with its ACCEPT. */
  request(request: OpenRequest): Promise<void> {
    this.scheduler.control(encodeFrame({ kind: 'open', streamId: this.id, credit: WINDOW_BYTES, request }));
    return this.#accepted.promise;
  }

  /** Answers the far end's OPEN, which granted `credit`. */
  accept(credit: number): void {
    if (this.#status !== 'dialing') return;
    this.#status = 'open';
    this.scheduler.control(encodeFrame({ kind: 'accept', streamId: this.id, credit: WINDOW_BYTES }));
    this.#grant(0, credit);
  }

  // ---- ByteChannel

  read(): Promise<Uint8Array | null> {
    return this.#inbound.read();
  }

  write(bytes: Uint8Array): Promise<void> {
    const written = this.#outbound.write(bytes);
    this.scheduler.ready(this);
    return written;
  }

  end(): Promise<void> {
    const ended = this.#outbound.end();
    this.scheduler.ready(this);
    return ended;
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
    this.#closeIfFinished();
    return frame;
  }

  creditFrame(): Uint8Array {
    this.#announced = this.#consumed;
    return encodeFrame({
      kind: 'credit',
      streamId: this.id,
      consumed: this.#consumed,
      limit: this.#consumed + WINDOW_BYTES,
    });
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
      case 'reset':
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
    const limit = this.#announced + WINDOW_BYTES;
    if (offset + bytes.length > limit)
      return this.#violation('flow_control', `DATA up to ${offset + bytes.length}, and ${limit} was granted`);
    this.#received += bytes.length;
    this.#inbound.push(bytes);
  }

  #receiveEnd(offset: number): void {
    if (this.#status !== 'open') return this.#violation('protocol_error', 'END came before ACCEPT');
    if (offset !== this.#received)
      return this.#violation('protocol_error', `END at offset ${offset}, expected ${this.#received}`);
    this.#endReceived = true;
    this.#inbound.end();
    this.#closeIfFinished();
  }

  #grant(consumed: number, limit: number): void {
    const wrong = this.#outbound.grant(consumed, limit);
    if (wrong) return this.#violation('flow_control', wrong);
    this.scheduler.ready(this);
  }

  #violation(code: ResetReason, message: string): void {
    this.reset(code, new TunnelError(code, message));
  }

  // ---- consuming and closing

  #onConsumed(bytes: number): void {
    this.#consumed += bytes;
    if (this.#status === 'open' && this.#consumed - this.#announced >= CREDIT_STEP_BYTES)
      this.scheduler.credit(this);
    this.#closeIfFinished();
  }

  #closeIfFinished(): void {
    if (this.#status !== 'open' || !this.#inbound.finished || !this.#outbound.finished) return;
    this.#release(undefined);
  }

  /** Ends the stream at once and tells the far end why. */
  reset(code: ResetReason, error: Error): void {
    if (this.#status === 'closed') return;
    this.scheduler.control(
      encodeFrame({ kind: 'reset', streamId: this.id, code, reason: asError(error).message }),
    );
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
    this.scheduler.remove(this);
    this.onClosed(this);
    this.#closed.resolve(error);
  }
}
