import {
  type ByteChannel,
  type Capabilities,
  type Change,
  checkGeneration,
  checkSessionId,
  type Platform,
  PlatformError,
  type PlatformSession,
  type SessionSpec,
  sessionTurns,
} from '@streamspace/agent-core';
import { desktopHost, type DesktopHost } from './desktop-host.js';
import type { UnaskedEnd } from './hosted-desktop.js';
import { HostedSession } from './hosted-session.js';
import { type LocalPlatformOptions, resolveLocalPlatformOptions, type ResolvedOptions } from './options.js';
import { orPlatformError } from './platform-errors.js';
import type { SessionRecord } from './session-record.js';

const VNC = 'vnc';
/** Sessions that are started again at a time when the agent starts. */
const RESTORED_AT_ONCE = 4;

const NOT_ISOLATED =
  "X desktops run as the agent's user: whoever uses one reaches the agent's files and the other sessions";

/**
 * A platform that runs desktops on the agent's own host: X desktops where Xtigervnc is installed, and the built-in
 * desktop. A template's base image chooses.
 *
 * With the first call, or the first to watch, it restores the sessions that an earlier process left in the data folder,
 * and every call waits for that: what runs is taken over, what ran and is gone is started again with its home, what was
 * to end is ended. A platform that is made and not used, as a standby's, changes nothing. One platform at a time may use
 * a data folder; the one that began last has it.
 *
 * Throws a RangeError for an option that is not allowed.
 */
export function localPlatform(options: LocalPlatformOptions): Platform {
  return new LocalPlatform(resolveLocalPlatformOptions(options));
}

/** States: new → restoring → open → closed. Closed, it holds no session and starts none. */
class LocalPlatform implements Platform {
  readonly name: string;
  readonly capabilities: Capabilities;
  readonly #options: ResolvedOptions;
  readonly #sessions = new Map<string, HostedSession>();
  readonly #turns = sessionTurns();
  readonly #watchers = new Set<(session: PlatformSession) => void>();
  readonly #ending = new AbortController();
  #host: Promise<DesktopHost> | undefined;
  #opened: DesktopHost | undefined;
  #changes = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(options: ResolvedOptions) {
    this.#options = options;
    this.name = options.name;
    const isolated = !options.x.enabled || options.x.program === undefined;
    this.capabilities = {
      ...{ hibernate: true, survivesAgentRestart: true, isolated },
      ...(!isolated && { reasons: { isolated: NOT_ISOLATED } }),
    };
  }

  start(spec: SessionSpec, change: Change, signal: AbortSignal): Promise<PlatformSession> {
    return this.#inTurn(spec.sessionId, signal, async (host, either) => {
      const held = this.#sessions.get(spec.sessionId);
      checkGeneration(held?.view(), change);
      host.check(spec);
      if (held?.generation === change.generation) {
        if (!(await held.isAlive())) await this.#reopen(host, held, change, either);
        return await held.describe();
      }
      this.#checkRoom(host, spec);
      const session = new HostedSession(host, { ...spec, generation: change.generation }, change);
      session.onEnd = (end) => this.#ended(session, end);
      // A new generation is a new session on the same home.
      await session.announce(held);
      this.#sessions.set(spec.sessionId, session);
      try {
        await session.begin(held, either);
      } catch (error) {
        await session.remove(change);
        this.#sessions.delete(spec.sessionId);
        throw error;
      }
      return await session.describe();
    });
  }

  stop(sessionId: string, change: Change, signal: AbortSignal): Promise<void> {
    return this.#inTurn(sessionId, signal, async () => {
      const session = this.#sessions.get(sessionId);
      checkGeneration(session?.view(), change);
      await session?.remove(change);
      this.#sessions.delete(sessionId);
    });
  }

  hibernate(sessionId: string, change: Change, signal: AbortSignal): Promise<PlatformSession> {
    return this.#inTurn(sessionId, signal, async () => {
      const session = this.#existing(sessionId, change);
      if (session.state !== 'hibernated') await session.hibernate(change);
      return session.view();
    });
  }

  wake(sessionId: string, change: Change, signal: AbortSignal): Promise<PlatformSession> {
    return this.#inTurn(sessionId, signal, async (host, either) => {
      const session = this.#existing(sessionId, change);
      if (!(await session.isAlive())) await this.#reopen(host, session, change, either);
      return await session.describe();
    });
  }

  async list(signal: AbortSignal): Promise<PlatformSession[]> {
    await this.#open(signal);
    return await Promise.all([...this.#sessions.values()].map((session) => session.describe()));
  }

  async inspect(sessionId: string, signal: AbortSignal): Promise<PlatformSession | undefined> {
    await this.#open(signal, sessionId);
    return await this.#sessions.get(sessionId)?.describe();
  }

  async openStream(sessionId: string, port: string, signal: AbortSignal): Promise<ByteChannel> {
    await this.#open(signal, sessionId);
    const session = this.#sessions.get(sessionId);
    if (!session) throw notFound(sessionId);
    if (port !== VNC) {
      throw new PlatformError(
        'connect_failed',
        `port ${JSON.stringify(port)} is not there; allowed is ${VNC}`,
      );
    }
    return await session.connect(signal);
  }

  watch(changed: (session: PlatformSession) => void): () => void {
    const watcher = (session: PlatformSession): void => changed(session);
    this.#watchers.add(watcher);
    if (!this.#closing) {
      this.#restored().catch((error: unknown) => {
        if (!this.#closing) this.#options.onError(error, 'restoring sessions');
      });
    }
    return () => void this.#watchers.delete(watcher);
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    this.#ending.abort(closedError());
    this.#watchers.clear();
    await this.#host?.catch(() => undefined);
    await Promise.allSettled(this.#changes);
    await Promise.all([...this.#sessions.values()].map((session) => session.release()));
    this.#sessions.clear();
  }

  /** What every call waits for. A failure is the caller's, and the next call tries again. */
  #restored(): Promise<DesktopHost> {
    this.#host ??= this.#restore().catch((error: unknown) => {
      this.#host = undefined;
      throw error;
    });
    return this.#host;
  }

  async #restore(): Promise<DesktopHost> {
    const signal = this.#ending.signal;
    const { host, records } = await orPlatformError(desktopHost(this.#options), 'the data folder');
    const waiting = [...records];
    const restoreSome = async (): Promise<void> => {
      for (let record = waiting.shift(); record && !signal.aborted; record = waiting.shift()) {
        await this.#restoreOne(host, record, signal).catch((error: unknown) =>
          this.#options.onError(error, `restoring session ${record.spec.sessionId}`),
        );
      }
    };
    await Promise.all(Array.from({ length: RESTORED_AT_ONCE }, restoreSome));
    this.#opened = host;
    return host;
  }

  async #restoreOne(host: DesktopHost, record: SessionRecord, signal: AbortSignal): Promise<void> {
    const session = new HostedSession(host, record.spec, record, record);
    session.onEnd = (end) => this.#ended(session, end);
    if (await session.restore(signal)) this.#sessions.set(record.spec.sessionId, session);
  }

  /** Rejects once the signal has aborted or the platform is closed, and for what can be no session's id. */
  async #open(signal: AbortSignal, sessionId?: string): Promise<DesktopHost> {
    signal.throwIfAborted();
    this.#ending.signal.throwIfAborted();
    if (sessionId !== undefined) checkSessionId(sessionId);
    const host = this.#opened ?? (await unlessAborted(this.#restored(), signal));
    this.#ending.signal.throwIfAborted();
    return host;
  }

  async #inTurn<Result>(
    sessionId: string,
    signal: AbortSignal,
    work: (host: DesktopHost, signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const host = await this.#open(signal, sessionId);
    const either = AbortSignal.any([signal, this.#ending.signal]);
    const change = this.#turns.run(sessionId, either, () =>
      orPlatformError(work(host, either), "the session's files"),
    );
    this.#changes.add(change);
    try {
      return await change;
    } finally {
      this.#changes.delete(change);
    }
  }

  /** Nobody asked for it: what is left is tidied up, and whoever watches is told. */
  #ended(session: HostedSession, end: UnaskedEnd): void {
    const { sessionId } = session.spec;
    const tidied = this.#inTurn(sessionId, this.#ending.signal, async () => {
      if (this.#sessions.get(sessionId) !== session || !session.running) return;
      // Somebody has started it again meanwhile.
      if (await session.isAlive()) return;
      try {
        await session.ended(end);
      } finally {
        // It has failed, whether all of it could be tidied up or not.
        if (!session.running) for (const watcher of this.#watchers) this.#tell(watcher, session.view());
      }
    });
    tidied.catch((error: unknown) => {
      if (!this.#closing) this.#options.onError(error, `the end of session ${sessionId}`);
    });
  }

  #tell(watcher: (session: PlatformSession) => void, session: PlatformSession): void {
    try {
      watcher(session);
    } catch (error) {
      this.#options.onError(error, 'a watcher of the platform');
    }
  }

  async #reopen(
    host: DesktopHost,
    session: HostedSession,
    change: Change,
    signal: AbortSignal,
  ): Promise<void> {
    this.#checkRoom(host, session.spec);
    await session.open(change, signal);
  }

  #existing(sessionId: string, change: Change): HostedSession {
    const session = this.#sessions.get(sessionId);
    checkGeneration(session?.view(), change);
    if (!session) throw notFound(sessionId);
    return session;
  }

  #checkRoom(host: DesktopHost, spec: SessionSpec): void {
    const most = this.#options.x.sessions;
    if (!host.isX(spec)) return;
    const others = [...this.#sessions.values()].filter(
      ({ state, spec: other }) =>
        (state === 'running' || state === 'starting') &&
        host.isX(other) &&
        other.sessionId !== spec.sessionId,
    );
    if (others.length < most) return;
    const text = `${most} X desktops run on this host; more are not allowed until one ends`;
    throw new PlatformError('capacity_exhausted', text, true);
  }
}

function notFound(sessionId: string): PlatformError {
  return new PlatformError('session_not_found', `session ${sessionId} is not on this platform`);
}

function closedError(): PlatformError {
  return new PlatformError('platform_unavailable', 'the platform is closed');
}

function unlessAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
