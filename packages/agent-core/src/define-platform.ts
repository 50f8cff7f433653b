import type { ByteChannel } from '@streamspace/vnc-tunnel';
import { PlatformError } from './errors.js';
import type { Capabilities, Change, Platform, PlatformSession, SessionSpec } from './platform.js';
import { checkGeneration, checkSessionId } from './platform-rules.js';
import { sessionTurns } from './session-turns.js';
import { settlesWithin } from './wait.js';

/** How long `close` waits for changes that it has aborted, in ms; then it goes on without them. */
const CLOSE_WAIT_MS = 5_000;

/**
 * What is different from one place to another; {@link definePlatform} makes a {@link Platform} of it.
 *
 * No two calls run at once for one session, but for `list`, `find` and `connect`. Every call MUST reject with the
 * signal's reason soon after it aborts, and MUST leave nothing behind when it rejects. What it rejects with and is no
 * PlatformError becomes `platform_unavailable`, to be tried again.
 */
export interface PlatformDriver {
  readonly name: string;
  readonly capabilities: Capabilities;
  /** As {@link Platform.list}. */
  list(signal: AbortSignal): Promise<PlatformSession[]>;
  /** As {@link Platform.inspect}. @default looks it up in the list */
  find?(sessionId: string, signal: AbortSignal): Promise<PlatformSession | undefined>;
  /**
   * Brings a session to run where none does. Resolves when its desktop takes connections.
   *
   * @param held the session of this generation that hibernates, failed or did not get ready, where there is one
   */
  start(
    spec: SessionSpec,
    change: Change,
    signal: AbortSignal,
    held: PlatformSession | undefined,
  ): Promise<PlatformSession>;
  /** Ends a session of which there may be no more than a part, and frees all that it holds. */
  stop(held: PlatformSession, change: Change, signal: AbortSignal): Promise<void>;
  /** Puts aside a session that does not hibernate. Needed where the driver says that it can hibernate. */
  hibernate?(held: PlatformSession, change: Change, signal: AbortSignal): Promise<PlatformSession>;
  /** Brings back a session that does not run. Needed where the driver says that it can hibernate. */
  wake?(held: PlatformSession, change: Change, signal: AbortSignal): Promise<PlatformSession>;
  /** Connects to a port of a session that runs. @throws PlatformError `connect_failed` */
  connect(held: PlatformSession, port: string, signal: AbortSignal): Promise<ByteChannel>;
  /** As {@link Platform.watch}. */
  watch?(changed: (session: PlatformSession) => void): () => void;
  /** As {@link Platform.close}; called once, when the changes that were under way have been aborted and are over. */
  close?(): Promise<void>;
}

/**
 * Makes a platform of what is different about a place, and does the rest of the contract: idempotence, generations,
 * turns, session ids, streams that end with their session, typed errors, watchers that throw, closing.
 *
 * @throws TypeError where the driver says that it can hibernate and lacks `hibernate` or `wake`
 */
export function definePlatform(driver: PlatformDriver): Platform {
  if (driver.capabilities.hibernate && !(driver.hibernate && driver.wake))
    throw new TypeError(`the platform ${driver.name} can hibernate: it needs hibernate() and wake()`);
  const defined = new DefinedPlatform(driver);
  if (!driver.watch) return defined;
  const watch: NonNullable<Platform['watch']> = (changed) =>
    driver.watch!((session) => {
      try {
        changed(session);
      } catch {
        // Whoever watches has to deal with its own failures; the driver and others who watch cannot.
      }
    });
  return Object.assign(defined, { watch });
}

/**
 * States: open → closing → closed. Closing, it takes no calls, and aborts the changes that are under way or wait for
 * their turn; closed, it changes nothing and has no streams.
 */
class DefinedPlatform implements Platform {
  readonly name: string;
  readonly capabilities: Capabilities;
  readonly #driver: PlatformDriver;
  readonly #turns = sessionTurns();
  /** Streams by session: they end with it. */
  readonly #streams = new Map<string, Set<ByteChannel>>();
  /** What is under way or waits for its turn. */
  readonly #changes = new Set<Promise<unknown>>();
  readonly #ending = new AbortController();
  #closing: Promise<void> | undefined;

  constructor(driver: PlatformDriver) {
    this.#driver = driver;
    this.name = driver.name;
    this.capabilities = driver.capabilities;
  }

  start(spec: SessionSpec, change: Change, signal: AbortSignal): Promise<PlatformSession> {
    return this.#change(spec.sessionId, change, signal, async (held, signal) => {
      const same = held?.generation === change.generation;
      if (same && held.state === 'running') return held;
      if (held && !same) {
        await this.#driver.stop(held, change, signal);
        this.#endStreams(spec.sessionId);
        signal.throwIfAborted();
      }
      return this.#driver.start(spec, change, signal, same ? held : undefined);
    });
  }

  stop(sessionId: string, change: Change, signal: AbortSignal): Promise<void> {
    return this.#change(sessionId, change, signal, async (held, signal) => {
      if (held) await this.#driver.stop(held, change, signal);
      this.#endStreams(sessionId);
    });
  }

  hibernate(sessionId: string, change: Change, signal: AbortSignal): Promise<PlatformSession> {
    return this.#change(sessionId, change, signal, async (held, signal) => {
      if (!this.capabilities.hibernate || !this.#driver.hibernate) throw this.#unsupported('hibernate');
      if (!held) throw notFound(sessionId);
      if (held.state === 'hibernated') return held;
      const session = await this.#driver.hibernate(held, change, signal);
      this.#endStreams(sessionId);
      return session;
    });
  }

  wake(sessionId: string, change: Change, signal: AbortSignal): Promise<PlatformSession> {
    return this.#change(sessionId, change, signal, async (held, signal) => {
      if (!this.capabilities.hibernate || !this.#driver.wake) throw this.#unsupported('wake');
      if (!held) throw notFound(sessionId);
      return held.state === 'running' ? held : this.#driver.wake(held, change, signal);
    });
  }

  list(signal: AbortSignal): Promise<PlatformSession[]> {
    return this.#typed(signal, (signal) => this.#driver.list(signal));
  }

  inspect(sessionId: string, signal: AbortSignal): Promise<PlatformSession | undefined> {
    return this.#typed(signal, (signal) => this.#find(sessionId, signal));
  }

  openStream(sessionId: string, port: string, signal: AbortSignal): Promise<ByteChannel> {
    return this.#typed(signal, async (signal) => {
      const held = await this.#find(sessionId, signal);
      if (held?.state !== 'running') throw notFound(sessionId);
      const channel = await this.#driver.connect(held, port, signal);
      try {
        // It may have ended while this was connecting, when its streams were ended without this one.
        const still = await this.#find(sessionId, signal);
        this.#ending.signal.throwIfAborted();
        if (still?.state !== 'running' || still.generation !== held.generation) throw notFound(sessionId);
      } catch (error) {
        channel.abort();
        throw error;
      }
      this.#keep(sessionId, channel);
      return channel;
    });
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      this.#ending.abort(new PlatformError('platform_unavailable', 'the platform is closed'));
      for (const sessionId of [...this.#streams.keys()]) this.#endStreams(sessionId);
      await settlesWithin(Promise.allSettled(this.#changes), CLOSE_WAIT_MS);
      await this.#driver.close?.();
    })();
    return this.#closing;
  }

  #change<Result>(
    sessionId: string,
    change: Change,
    signal: AbortSignal,
    work: (held: PlatformSession | undefined, signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const changing = this.#typed(signal, (signal) =>
      this.#turns.run(sessionId, signal, async () => {
        const held = await this.#find(sessionId, signal);
        checkGeneration(held, change);
        signal.throwIfAborted();
        return work(held, signal);
      }),
    );
    this.#changes.add(changing);
    const forget = (): void => void this.#changes.delete(changing);
    void changing.then(forget, forget);
    return changing;
  }

  async #find(sessionId: string, signal: AbortSignal): Promise<PlatformSession | undefined> {
    checkSessionId(sessionId);
    if (this.#driver.find) return this.#driver.find(sessionId, signal);
    return (await this.#driver.list(signal)).find((session) => session.sessionId === sessionId);
  }

  #keep(sessionId: string, channel: ByteChannel): void {
    const streams = this.#streams.get(sessionId) ?? new Set();
    this.#streams.set(sessionId, streams.add(channel));
    void channel.closed.then(() => {
      streams.delete(channel);
      if (streams.size === 0 && this.#streams.get(sessionId) === streams) this.#streams.delete(sessionId);
    });
  }

  #endStreams(sessionId: string): void {
    for (const channel of this.#streams.get(sessionId) ?? [])
      channel.abort(new PlatformError('session_not_found', `session ${sessionId} has ended`));
  }

  #unsupported(what: string): PlatformError {
    const reason = this.capabilities.reasons?.hibernate ?? 'it gives no reason';
    return new PlatformError('not_supported', `the platform ${this.name} cannot ${what}: ${reason}`);
  }

  /** Turns what a driver throws into what the contract has. `work` gets a signal that closing aborts as well. */
  async #typed<Result>(
    callers: AbortSignal,
    work: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    callers.throwIfAborted();
    const signal = AbortSignal.any([callers, this.#ending.signal]);
    try {
      signal.throwIfAborted();
      return await work(signal);
    } catch (cause) {
      if (isTyped(cause)) throw cause;
      // Whatever a driver's own calls reject with when they are aborted.
      if (signal.aborted) throw signal.reason;
      const text = cause instanceof Error ? cause.message : String(cause);
      throw new PlatformError('platform_unavailable', `${this.name}: ${text}`, true, { cause });
    }
  }
}

function isTyped(error: unknown): boolean {
  const { code, shouldRetry } = (error ?? {}) as { code?: unknown; shouldRetry?: unknown };
  return error instanceof Error && typeof code === 'string' && typeof shouldRetry === 'boolean';
}

function notFound(sessionId: string): PlatformError {
  return new PlatformError('session_not_found', `session ${sessionId} is not running here`);
}
