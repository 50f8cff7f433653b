import { asError } from './errors.js';

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
 * A channel that knows no half-close, and has closed, takes the other one with it.
 *
 * @returns what ended it, if that was a failure, and how many bytes went each way
 */
export async function joinChannels(
  a: ByteChannel,
  b: ByteChannel,
): Promise<{ aToB: number; bToA: number; error?: Error }> {
  let error: Error | undefined;
  const left = new Error('the other side has closed both directions');
  const fail = (cause: unknown): void => {
    if (cause === left) return;
    error ??= asError(cause);
    a.abort(error);
    b.abort(error);
  };
  const copy = (from: ByteChannel, to: ByteChannel): Copy => {
    const state = { finished: false, total: 0 };
    const run = async (): Promise<void> => {
      try {
        for (let chunk = await next(from); chunk; chunk = await next(from)) {
          await to.write(chunk);
          state.total += chunk.length;
        }
        state.finished = true;
        await to.end();
      } catch (cause) {
        fail(cause);
      }
      state.finished = true;
    };
    return Object.assign(state, { over: run() });
  };
  const aToB = copy(a, b);
  const bToA = copy(b, a);
  // A copy that waits for one channel does not see what happens to the other.
  const watch = async (channel: ByteChannel, away: Copy, other: ByteChannel, back: Copy): Promise<void> => {
    const failure = await channel.closed;
    if (failure) return fail(failure);
    await away.over;
    if (!back.finished) other.abort(left);
  };
  void watch(a, aToB, b, bToA);
  void watch(b, bToA, a, aToB);
  await Promise.all([aToB.over, bToA.over]);
  const totals = { aToB: aToB.total, bToA: bToA.total };
  return error ? { ...totals, error } : totals;
}

/** What `write` has settled for is not looked at again, so that bytes need only be borrowed here. */
const next = (from: ByteChannel): Promise<Uint8Array | null> => (from.borrow ? from.borrow() : from.read());

/** One direction of a join. */
interface Copy {
  /** Nothing more is read from its source. */
  finished: boolean;
  total: number;
  /** Settles when its target has ended too, or either has failed. */
  over: Promise<void>;
}
