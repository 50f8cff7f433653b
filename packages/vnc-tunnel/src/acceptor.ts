import type { OpenRequest } from '@streamspace/protocol';
import type { ByteChannel } from './byte-channel.js';
import { asError, closedError, resetCodeOf, TunnelError } from './errors.js';
import { joinChannels } from './join-channels.js';
import { countOne, type Counters } from './stats.js';
import type { TunnelStream } from './stream.js';

/** Dials what a request names; see `TunnelOptions.onOpen`. */
export type OnOpen = (request: OpenRequest, signal: AbortSignal) => Promise<ByteChannel>;

/** The streams that the far end opens: what each names is dialled and joined to it. */
export class Acceptor {
  /** One for each stream; settles when both of its channels are released. */
  readonly #joins = new Set<Promise<void>>();
  #dialing = 0;

  constructor(
    private readonly counters: Counters,
    private readonly onError: (error: unknown, where: string) => void,
  ) {}

  /** Opens of the far end that are being dialled. */
  get dialing(): number {
    return this.#dialing;
  }

  /** Channels of `onOpen` that are not released, and dials. */
  get unreleased(): number {
    return this.#joins.size;
  }

  /** Resolves when all that are there now are released. */
  async released(): Promise<void> {
    await Promise.all(this.#joins);
  }

  /** Dials for a stream whose OPEN granted `credit`, and answers it. */
  accept(stream: TunnelStream, credit: number, request: OpenRequest, onOpen: OnOpen): void {
    const join = this.#dialAndJoin(stream, credit, request, onOpen)
      .catch((error: unknown) => this.onError(error, 'join'))
      .finally(() => this.#joins.delete(join));
    this.#joins.add(join);
  }

  async #dialAndJoin(
    stream: TunnelStream,
    credit: number,
    request: OpenRequest,
    onOpen: OnOpen,
  ): Promise<void> {
    const channel = await this.#dial(stream, request, onOpen);
    if (!channel) return;
    if (stream.status === 'closed') channel.abort((await stream.closed) ?? closedError());
    else {
      this.counters.accepted++;
      stream.accept(credit);
      await joinChannels(stream, channel, { onError: this.onError });
    }
    await channel.closed;
  }

  async #dial(stream: TunnelStream, request: OpenRequest, onOpen: OnOpen): Promise<ByteChannel | undefined> {
    const controller = new AbortController();
    let dialing = true;
    void stream.closed.then((error) => {
      if (dialing) controller.abort(error);
    });
    this.#dialing++;
    try {
      return this.#checked(await onOpen(request, controller.signal));
    } catch (error) {
      const code = resetCodeOf(error, 'connect_failed');
      // A dial that fails since the far end gave up was no failure of this end.
      if (stream.status !== 'closed') countOne(this.counters.acceptFailures, code);
      stream.reset(code, asError(error));
      return undefined;
    } finally {
      dialing = false;
      this.#dialing--;
    }
  }

  /** Without this a stream that was promised a channel and got none would wait for the far end to lose its patience. */
  #checked(channel: ByteChannel): ByteChannel {
    if (isChannel(channel)) return channel;
    const what = typeof channel === 'object' && channel !== null ? 'an object that is none' : String(channel);
    const error = new TunnelError(
      'internal',
      `onOpen must resolve with a ByteChannel, and resolved with ${what}`,
    );
    this.onError(error, 'onOpen');
    throw error;
  }
}

function isChannel(value: unknown): boolean {
  const channel = (value ?? {}) as Partial<Record<keyof ByteChannel, unknown>>;
  const { then } = (channel.closed ?? {}) as { then?: unknown };
  return [channel.read, channel.write, channel.end, channel.abort, then].every(
    (method) => typeof method === 'function',
  );
}
