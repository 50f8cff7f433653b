import type { ByteChannel } from '../byte-channel.js';
import { deferred, type Deferred } from '../deferred.js';
import { TunnelError } from '../errors.js';
import { InboundQueue } from '../inbound-queue.js';

/**
 * Two channels in this process, each the other's far end.
 *
 * @param bufferBytes unread bytes at which writes to that end wait. @default 65_536
 */
export function channelPair(bufferBytes = 64 * 1024): [ByteChannel, ByteChannel] {
  const a = new MemoryChannel(bufferBytes);
  const b = new MemoryChannel(bufferBytes);
  a.peer = b;
  b.peer = a;
  return [a, b];
}

class MemoryChannel implements ByteChannel {
  peer!: MemoryChannel;
  readonly #inbound = new InboundQueue((bytes) => this.#onConsumed(bytes));
  /** Bytes that came in and that the reader has not dealt with. */
  #unconsumedBytes = 0;
  /** The peer's `delivered` that wait for them. */
  #awaitingDelivery: Deferred<void>[] = [];
  readonly #closed = deferred<Error | undefined>();
  /** Writes of the peer that wait for room here. */
  #waiting: Deferred<void>[] = [];
  #ended = false;
  #error: Error | undefined;

  constructor(private readonly bufferBytes: number) {}

  get closed(): Promise<Error | undefined> {
    return this.#closed.promise;
  }

  read(): Promise<Uint8Array | null> {
    return this.#inbound.read();
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.#error) return Promise.reject(this.#error);
    if (this.#ended) return Promise.reject(new TunnelError('closed', 'nothing can be written after end()'));
    return this.peer.#take(bytes);
  }

  async #take(bytes: Uint8Array): Promise<void> {
    // Not `slice`, which is a view where the bytes are a Buffer.
    this.#inbound.push(new Uint8Array(bytes));
    this.#unconsumedBytes += bytes.length;
    if (this.#inbound.queuedBytes < this.bufferBytes) return;
    const room = deferred<void>();
    this.#waiting.push(room);
    await room.promise;
  }

  async end(): Promise<void> {
    if (this.#error) throw this.#error;
    if (this.#ended) return;
    this.#ended = true;
    this.peer.#inbound.end();
    this.#closeIfFinished();
    this.peer.#closeIfFinished();
  }

  async delivered(): Promise<void> {
    if (this.#error) throw this.#error;
    if (this.peer.#unconsumedBytes === 0 || this.#isOver) return;
    const delivery = deferred<void>();
    this.peer.#awaitingDelivery.push(delivery);
    await delivery.promise;
  }

  abort(reason?: Error): void {
    const error = reason ?? new TunnelError('cancelled', 'the channel was aborted here');
    this.#fail(error);
    this.peer.#fail(new TunnelError('connection_lost', `the far end aborted: ${error.message}`));
  }

  #fail(error: Error): void {
    if (this.#error || (this.#ended && this.#inbound.finished)) return;
    this.#error = error;
    this.#inbound.fail(error);
    const waiting = this.#waiting;
    this.#waiting = [];
    const peerError = new TunnelError('connection_lost', `the far end aborted: ${error.message}`);
    for (const write of [...waiting, ...this.#awaitingDelivery.splice(0)])
      write.reject(this.peer.#error ?? peerError);
    this.#closed.resolve(error);
  }

  #onConsumed(bytes: number): void {
    this.#unconsumedBytes -= bytes;
    if (this.#unconsumedBytes === 0)
      for (const delivery of this.#awaitingDelivery.splice(0)) delivery.resolve();
    if (this.#inbound.queuedBytes < this.bufferBytes) {
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const write of waiting) write.resolve();
    }
    this.#closeIfFinished();
  }

  #closeIfFinished(): void {
    if (this.#error || !this.#isOver) return;
    for (const delivery of this.#awaitingDelivery.splice(0)) delivery.resolve();
    this.#closed.resolve(undefined);
  }

  /** Both directions are. */
  get #isOver(): boolean {
    return this.#ended && this.#inbound.finished;
  }
}
