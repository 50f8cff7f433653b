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
   * Resolves when the bytes have left this process's buffers and more may follow.
   * Rejects when the channel was aborted or failed, or after `end`.
   */
  write(bytes: Uint8Array): Promise<void>;
  /** Half-close: nothing more will be written; reading goes on. Idempotent. */
  end(): Promise<void>;
  /** Ends both directions at once and drops what is buffered. Idempotent; `reason` reaches pending calls. */
  abort(reason?: Error): void;
  /**
   * Settles when both directions are over and the resource behind is released: with nothing after an orderly end,
   * with the reason otherwise. Never rejects.
   */
  readonly closed: Promise<Error | undefined>;
}

/**
 * Copies both directions until both are over; an end is passed on as a half-close, a failure aborts both channels.
 *
 * @returns what ended it, if that was a failure, and how many bytes went each way
 */
export async function joinChannels(
  a: ByteChannel,
  b: ByteChannel,
): Promise<{ aToB: number; bToA: number; error?: Error }> {
  let error: Error | undefined;
  const copy = async (from: ByteChannel, to: ByteChannel): Promise<number> => {
    let total = 0;
    try {
      for (let chunk = await from.read(); chunk; chunk = await from.read()) {
        await to.write(chunk);
        total += chunk.length;
      }
      await to.end();
    } catch (cause) {
      error ??= cause instanceof Error ? cause : new Error(String(cause));
      from.abort(error);
      to.abort(error);
    }
    return total;
  };
  const [aToB, bToA] = await Promise.all([copy(a, b), copy(b, a)]);
  return error ? { aToB, bToA, error } : { aToB, bToA };
}
