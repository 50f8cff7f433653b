/**
 * A duplex of bytes with backpressure in both directions: a TCP connection, a tunnel stream, a desktop in this process.
 *
 * Pulling is what makes backpressure: whoever reads slowly is sent to slowly. An implementation
 *
 * - MUST hold no more than one bounded buffer of unread bytes, and stop its source beyond it;
 * - MUST count bytes that `read` returned as consumed only when `read` is called again (the caller has dealt with
 *   the earlier chunk by then: this is what credit is granted for);
 * - MUST settle every pending `read` and `write` when the channel is aborted or closed;
 * - MUST NOT keep a chunk passed to `write` after that write's promise has settled, nor change it.
 */
export interface ByteChannel {
  /**
   * The next bytes, never an empty chunk; `null` once the far end has ended its direction.
   * One read at a time. Rejects when the channel was aborted or failed.
   */
  read(): Promise<Uint8Array | null>;
  /**
   * As `read`, for bytes that are passed on at once: they hold until `read` or `borrow` is called next, and the channel
   * may fill them anew then. Optional: a channel that has nothing to gain from it leaves it out.
   */
  borrow?(): Promise<Uint8Array | null>;
  /**
   * Resolves when the bytes have left this process's buffers and more may follow.
   * Rejects when the channel was aborted or failed, or after `end`.
   */
  write(bytes: Uint8Array): Promise<void>;
  /** Half-close: nothing more will be written; reading goes on. Resolves when that is handed over. Idempotent. */
  end(): Promise<void>;
  /**
   * To be asked after `end`: resolves once the far end has consumed all that was written, so that an `abort` takes none
   * of it back; or once both directions are over. Rejects when the channel is aborted or fails before. Optional: a
   * channel that cannot know leaves it out.
   */
  delivered?(): Promise<void>;
  /** Ends both directions at once and drops what is buffered. Idempotent; `reason` reaches pending calls. */
  abort(reason?: Error): void;
  /**
   * Settles when both directions are over and the resource behind is released: with nothing after an orderly end,
   * with the reason otherwise. Never rejects.
   */
  readonly closed: Promise<Error | undefined>;
}
