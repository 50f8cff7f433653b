import type { ByteChannel } from './byte-channel.js';
import { deferred } from './deferred.js';
import { asError, reporter, TunnelError } from './errors.js';
import { checkLimit, MAX_DELAY_MS } from './limits.js';

export interface JoinOptions {
  /**
   * How long the last bytes of a channel that has closed both directions may take to be consumed behind the other one,
   * in ms. Past it the other one is aborted with TunnelError `timeout`, which the join returns as its error; one that
   * cannot tell what was consumed is given this long to end, and is aborted without an error. @default 10_000
   */
  lingerMs?: number;
  /**
   * How long the other channel may then take to end by itself, in ms; what it still brings is dropped. Past it it is
   * aborted, which is no error. @default 1_000
   */
  farewellMs?: number;
  /** Told of channels that break their contract: an `abort` that throws, a `closed` that rejects. */
  onError?: (error: unknown, where: string) => void;
}

/**
 * Copies both directions until both are over; an end is passed on as a half-close, a failure aborts both channels.
 *
 * A channel that knows no half-close, and has closed, takes the other one with it, though not what it has sent: see
 * `lingerMs` and `farewellMs`.
 *
 * @returns what ended it, if that was a failure, and how many bytes went each way
 * @throws RangeError for an option that is out of range
 */
export async function joinChannels(
  a: ByteChannel,
  b: ByteChannel,
  options: JoinOptions = {},
): Promise<{ aToB: number; bToA: number; error?: Error }> {
  const join = new Join(a, b, {
    lingerMs: checkLimit('lingerMs', options.lingerMs ?? 10_000, MAX_DELAY_MS),
    farewellMs: checkLimit('farewellMs', options.farewellMs ?? 1_000, MAX_DELAY_MS),
    onError: reporter(options.onError),
  });
  await join.over;
  const totals = { aToB: join.aToB.total, bToA: join.bToA.total };
  return join.error ? { ...totals, error: join.error } : totals;
}

/** One of the two channels. */
interface Side {
  readonly channel: ByteChannel;
  /** It has closed both directions, in order: nobody is there any more to take what is written to it. */
  left: boolean;
}

/** One direction. */
interface Copy {
  /** Nothing more is read from its source. */
  finished: boolean;
  /** So is what was written to its target. */
  settled: boolean;
  /** Bytes that its target took. */
  total: number;
  /** Settles when its target has ended too, or either has failed. Never rejects. */
  readonly over: Promise<void>;
}

/**
 * Two channels and the copies between them.
 *
 * States: `joined` → `lingering` (one side has left: what it sent is waited for, what it is sent is dropped) → over;
 * from both of them over at once with `error` when a side or a copy fails.
 */
class Join {
  error: Error | undefined;
  readonly aToB: Copy;
  readonly bToA: Copy;
  readonly over: Promise<unknown>;
  /** The reason of an abort that is no failure. */
  readonly #left = new Error('the other side has closed both directions');
  readonly #failed = deferred<void>();
  readonly #sides: readonly Side[];

  constructor(
    a: ByteChannel,
    b: ByteChannel,
    private readonly options: Required<JoinOptions>,
  ) {
    const sideA: Side = { channel: a, left: false };
    const sideB: Side = { channel: b, left: false };
    this.#sides = [sideA, sideB];
    this.aToB = this.#copy(sideA, sideB);
    this.bToA = this.#copy(sideB, sideA);
    // A channel that breaks its contract may leave a copy hanging: a failure ends the join all the same.
    this.over = Promise.race([Promise.all([this.aToB.over, this.bToA.over]), this.#failed.promise]);
    // A copy that waits for one channel does not see what happens to the other.
    void this.#watch(sideA, this.aToB, sideB, this.bToA);
    void this.#watch(sideB, this.bToA, sideA, this.aToB);
  }

  #copy(from: Side, to: Side): Copy {
    const state = { finished: false, settled: false, total: 0 };
    const run = async (): Promise<void> => {
      try {
        for (let chunk = await next(from.channel); chunk; chunk = await next(from.channel))
          if (await taken(to, chunk)) state.total += chunk.length;
        state.finished = true;
        if (!to.left) await to.channel.end();
      } catch (cause) {
        this.#fail(cause);
      }
      state.finished = true;
      state.settled = true;
    };
    return Object.assign(state, { over: run() });
  }

  async #watch(side: Side, away: Copy, other: Side, back: Copy): Promise<void> {
    try {
      const failure = await side.channel.closed;
      if (failure) return this.#fail(failure);
      side.left = true;
      if (!back.finished || !away.settled) await this.#linger(away, other, back);
    } catch (cause) {
      this.options.onError(cause, 'closed');
      this.#fail(cause);
    }
  }

  /** What has left is not to lose its last bytes, and not to hold the other side for long. */
  async #linger(away: Copy, other: Side, back: Copy): Promise<void> {
    const { lingerMs, farewellMs } = this.options;
    const { channel } = other;
    const isTold = channel.delivered !== undefined;
    const delivered = away.over.then(() => channel.delivered?.() ?? back.over);
    if (await this.#settles(delivered, lingerMs)) await this.#settles(back.over, farewellMs);
    else if (isTold || !away.settled) {
      const late = `lingerMs: the last bytes of a channel that has closed were not consumed within ${lingerMs} ms`;
      return this.#fail(new TunnelError('timeout', late));
    }
    if (!back.finished) this.#abort(other, this.#left);
  }

  /** @returns whether it came to an end in time; so does the join as a whole */
  async #settles(step: Promise<unknown>, ms: number): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), ms);
    });
    const done = (): boolean => true;
    // Why it fails, its channel says.
    const inTime = await Promise.race([step.then(done, done), this.over.then(done), late]);
    clearTimeout(timer);
    return inTime;
  }

  #fail(cause: unknown): void {
    if (cause === this.#left) return;
    this.error ??= asError(cause);
    for (const side of this.#sides) this.#abort(side, this.error);
    this.#failed.resolve();
  }

  #abort({ channel }: Side, reason: Error): void {
    try {
      channel.abort(reason);
    } catch (error) {
      this.options.onError(error, 'abort');
      this.error ??= asError(error);
      this.#failed.resolve();
    }
  }
}

/** What `write` has settled for is not looked at again, so that bytes need only be borrowed here. */
const next = (from: ByteChannel): Promise<Uint8Array | null> => (from.borrow ? from.borrow() : from.read());

/** @returns whether the target took the bytes: one that has left takes nothing, which is no failure */
async function taken(to: Side, bytes: Uint8Array): Promise<boolean> {
  if (to.left) return false;
  try {
    await to.channel.write(bytes);
    return true;
  } catch (cause) {
    // A channel that closes in order settles `closed` and its writes in one go, in whichever order.
    await new Promise((resolve) => setTimeout(resolve));
    if (to.left) return false;
    throw cause;
  }
}
