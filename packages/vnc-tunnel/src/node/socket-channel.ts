import type { Socket } from 'node:net';
import type { ByteChannel } from '../byte-channel.js';
import { deferred } from '../deferred.js';
import { TunnelError } from '../errors.js';
import { InboundQueue } from '../inbound-queue.js';
import type { SocketReads } from './socket-reads.js';
import { UNREAD_BYTES } from './unread-bytes.js';

/**
 * A connected TCP or Unix-domain socket as a channel. It owns the socket, switches Nagle's algorithm off and half-close
 * on. A slow reader pauses the socket at 128 KiB unread, beyond which at most one read of 64 KiB comes.
 */
export function socketChannel(socket: Socket): ByteChannel {
  return new SocketChannel(socket);
}

export class SocketChannel implements ByteChannel {
  readonly #inbound = new InboundQueue((_, chunk) => this.#consumed(chunk));
  readonly #closed = deferred<Error | undefined>();
  readonly #writes = new Set<(error: Error) => void>();
  #ended: Promise<void> | undefined;
  #error: Error | undefined;
  /** Whether the chunk that the reader has is to come back. */
  #borrowed = false;

  /** @param reads what the socket was made to read into, where it was */
  constructor(
    private readonly socket: Socket,
    private readonly reads?: SocketReads,
  ) {
    socket.allowHalfOpen = true;
    socket.setNoDelay(true);
    const onBytes = (bytes: Uint8Array): boolean => {
      this.#inbound.push(bytes);
      if (this.#inbound.queuedBytes >= UNREAD_BYTES) socket.pause();
      return !socket.isPaused();
    };
    if (reads) reads.onBytes = onBytes;
    else socket.on('data', onBytes);
    socket.on('end', () => this.#inbound.end());
    socket.on('error', (cause: Error) => {
      this.#error ??= new TunnelError('connection_lost', `the connection failed: ${cause.message}`, {
        cause,
      });
    });
    socket.on('close', () => this.#onClose());
    if (socket.destroyed) this.#onClose();
  }

  get closed(): Promise<Error | undefined> {
    return this.#closed.promise;
  }

  read(): Promise<Uint8Array | null> {
    const chunk = this.#inbound.read();
    this.#borrowed = false;
    return chunk;
  }

  borrow(): Promise<Uint8Array | null> {
    const chunk = this.#inbound.read();
    this.#borrowed = true;
    return chunk;
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.#error) return Promise.reject(this.#error);
    if (this.#ended || !this.socket.writable)
      return Promise.reject(
        new TunnelError(
          'closed',
          this.#ended ? 'nothing can be written after end()' : 'the connection is closed',
        ),
      );
    return new Promise((resolve, reject) => {
      this.#writes.add(reject);
      this.socket.write(bytes, (cause) => {
        this.#writes.delete(reject);
        if (cause) reject(this.#error ?? new TunnelError('connection_lost', cause.message, { cause }));
        else resolve();
      });
    });
  }

  end(): Promise<void> {
    this.#ended ??= this.#error
      ? Promise.reject(this.#error)
      : new Promise((resolve, reject) => {
          this.#writes.add(reject);
          this.socket.end((cause?: Error | null) => {
            this.#writes.delete(reject);
            if (cause) reject(this.#error ?? new TunnelError('connection_lost', cause.message, { cause }));
            else resolve();
          });
        });
    return this.#ended;
  }

  abort(reason?: Error): void {
    if (this.socket.destroyed) return;
    this.#error ??= reason ?? new TunnelError('cancelled', 'the channel was aborted here');
    this.#settle(this.#error);
    this.socket.destroy();
  }

  #settle(error: Error): void {
    this.#inbound.fail(error);
    for (const reject of this.#writes) reject(error);
    this.#writes.clear();
  }

  #consumed(chunk: Uint8Array | undefined): void {
    if (chunk && this.#borrowed) this.reads?.reuse(chunk);
    if (this.socket.isPaused() && this.#inbound.queuedBytes <= UNREAD_BYTES / 2) this.socket.resume();
  }

  #onClose(): void {
    if (!this.#error && !(this.socket.readableEnded && this.socket.writableFinished))
      this.#error = new TunnelError('connection_lost', 'the connection was cut');
    if (this.#error) this.#settle(this.#error);
    this.#closed.resolve(this.#error);
  }
}
