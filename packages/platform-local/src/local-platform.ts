import {
  type ByteChannel,
  type Capabilities,
  type Change,
  type Platform,
  PlatformError,
  type PlatformSession,
  type SessionSpec,
} from '@streamspace/agent-core';
import { Home } from './home.js';
import { LocalSession } from './local-session.js';
import {
  checkScreen,
  type LocalPlatformOptions,
  resolveLocalPlatformOptions,
  type ResolvedOptions,
} from './options.js';
import { baseImageOf, BUILT_IN_IMAGE, builtInDesktopTemplate } from './template.js';

const DNS_LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const VNC = 'vnc';

/**
 * A platform that runs desktops on the agent's own host: the built-in desktop, in this process.
 *
 * Sessions end with the process; their homes stay, and a session that is started again finds its text and drawing.
 * Throws a RangeError for an option that is not allowed.
 */
export function localPlatform(options: LocalPlatformOptions): Platform {
  return new LocalPlatform(resolveLocalPlatformOptions(options));
}

/** States: open → closed. Closed, it holds no session and starts none. */
class LocalPlatform implements Platform {
  readonly name: string;
  readonly capabilities: Capabilities = { hibernate: true, survivesAgentRestart: false };
  readonly #options: ResolvedOptions;
  readonly #sessions = new Map<string, LocalSession>();
  /** The last call for each session that is being changed: the next one waits for it. */
  readonly #turns = new Map<string, Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(options: ResolvedOptions) {
    this.#options = options;
    this.name = options.name;
  }

  start(spec: SessionSpec, change: Change, signal: AbortSignal): Promise<PlatformSession> {
    return this.#inTurn(spec.sessionId, signal, async () => {
      this.#checkTemplate(spec);
      const { sessionId, persistentHome = true } = spec;
      const { width, height } = this.#screenOf(spec);
      const held = this.#held(sessionId, change);
      if (held && held.generation === change.generation) {
        return held.state === 'running' ? held.describe() : await this.#open(held, change, signal);
      }
      // A new generation is a new session on the same home.
      await held?.close();
      const record = { sessionId, width, height, persistentHome };
      const home = new Home(this.#options.dataFolder, sessionId);
      return await this.#open(new LocalSession(record, change, home, this.#options), change, signal);
    });
  }

  stop(sessionId: string, change: Change, signal: AbortSignal): Promise<void> {
    return this.#inTurn(sessionId, signal, async () => {
      const session = this.#held(sessionId, change);
      if (!session) return;
      await session.close();
      if (!session.record.persistentHome) await orPlatformError(session.home.remove());
      this.#sessions.delete(sessionId);
    });
  }

  hibernate(sessionId: string, change: Change, signal: AbortSignal): Promise<PlatformSession> {
    return this.#inTurn(sessionId, signal, async () => {
      const session = this.#existing(sessionId, change);
      if (session.state === 'running') {
        await session.close();
        stamp(session, change);
      }
      return session.describe();
    });
  }

  wake(sessionId: string, change: Change, signal: AbortSignal): Promise<PlatformSession> {
    return this.#inTurn(sessionId, signal, async () => {
      const session = this.#existing(sessionId, change);
      return session.state === 'running' ? session.describe() : await this.#open(session, change, signal);
    });
  }

  async list(signal: AbortSignal): Promise<PlatformSession[]> {
    signal.throwIfAborted();
    return await Promise.resolve([...this.#sessions.values()].map((session) => session.describe()));
  }

  async inspect(sessionId: string, signal: AbortSignal): Promise<PlatformSession | undefined> {
    this.#check(sessionId, signal);
    return await Promise.resolve(this.#sessions.get(sessionId)?.describe());
  }

  async openStream(sessionId: string, port: string, signal: AbortSignal): Promise<ByteChannel> {
    this.#check(sessionId, signal);
    const session = this.#sessions.get(sessionId);
    if (!session) throw notFound(sessionId);
    if (port !== VNC) {
      throw new PlatformError(
        'connect_failed',
        `port ${JSON.stringify(port)} is not there; allowed is ${VNC}`,
      );
    }
    return await Promise.resolve(session.connect());
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    await Promise.allSettled(this.#turns.values());
    await Promise.all([...this.#sessions.values()].map((session) => session.close()));
    this.#sessions.clear();
  }

  /** Changes to one session follow each other; those to others run beside them. */
  async #inTurn<Result>(
    sessionId: string,
    signal: AbortSignal,
    work: () => Promise<Result>,
  ): Promise<Result> {
    this.#check(sessionId, signal);
    const turn = (this.#turns.get(sessionId) ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => {
        this.#check(sessionId, signal);
        return work();
      });
    this.#turns.set(sessionId, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(sessionId) === turn) this.#turns.delete(sessionId);
    }
  }

  async #open(session: LocalSession, change: Change, signal: AbortSignal): Promise<PlatformSession> {
    await orPlatformError(session.open(signal));
    stamp(session, change);
    this.#sessions.set(session.record.sessionId, session);
    return session.describe();
  }

  /** Refuses what could name anything but a session of this platform. */
  #check(sessionId: string, signal: AbortSignal): void {
    signal.throwIfAborted();
    if (this.#closing) throw closedError();
    if (!DNS_LABEL.test(sessionId)) {
      const text = `session id ${JSON.stringify(sessionId.slice(0, 80))} is not allowed; it must be a DNS label: 1 to 63 of a-z, 0-9 and -, not starting or ending with -`;
      throw new PlatformError('invalid_session_id', text);
    }
  }

  #checkTemplate({ template, manifest }: SessionSpec): void {
    const image = baseImageOf(manifest);
    if (image === BUILT_IN_IMAGE) return;
    const text = `template ${template} needs ${JSON.stringify(image) ?? 'an image that it does not name'}; this platform has only ${BUILT_IN_IMAGE}, as in template ${builtInDesktopTemplate.metadata.name}`;
    throw new PlatformError('template_unsupported', text);
  }

  #screenOf(spec: SessionSpec): { width: number; height: number } {
    const screen = spec.screen ?? this.#options.screen;
    try {
      checkScreen(screen);
    } catch (cause) {
      throw new PlatformError('invalid_screen', (cause as RangeError).message, false, { cause });
    }
    return screen;
  }

  #held(sessionId: string, change: Change): LocalSession | undefined {
    const session = this.#sessions.get(sessionId);
    if (session && change.generation < session.generation) {
      const text = `session ${sessionId} is at generation ${session.generation}; ${change.generation} is older and changes nothing`;
      throw new PlatformError('stale_generation', text);
    }
    return session;
  }

  #existing(sessionId: string, change: Change): LocalSession {
    const session = this.#held(sessionId, change);
    if (!session) throw notFound(sessionId);
    return session;
  }
}

function stamp(session: LocalSession, change: Change): void {
  session.generation = change.generation;
  session.commandId = change.commandId;
}

function notFound(sessionId: string): PlatformError {
  return new PlatformError('session_not_found', `session ${sessionId} is not on this platform`);
}

function closedError(): PlatformError {
  return new PlatformError('platform_unavailable', 'the platform is closed');
}

/** Failures of the file system become errors that say whether trying again can help. */
async function orPlatformError<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (cause) {
    if (!(cause instanceof Error) || !('syscall' in cause)) throw cause;
    throw new PlatformError('platform_unavailable', `the home folder: ${cause.message}`, true, { cause });
  }
}
