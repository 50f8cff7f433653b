import { PlatformError } from '../errors.js';
import type { Capabilities, Change, Platform, PlatformSession } from '../platform.js';
import { checkGeneration, checkSessionId } from '../platform-rules.js';
import { sessionTurns } from '../session-turns.js';
import { InMemoryHost, type MemoryHost } from './memory-host.js';

export interface MemoryPlatform extends Platform {
  /** Every change that had an effect, oldest first, as `start desk-1`. */
  readonly effects: readonly string[];
  /** Called before each change has its effect; a rejection fails the change. */
  before: (what: string, sessionId: string, signal: AbortSignal) => Promise<void>;
  close(): Promise<void>;
}

export interface MemoryPlatformOptions {
  /**
   * Keeps the sessions. Another platform on the same host finds them, as after a restart of the agent.
   *
   * @default a host of its own, whose sessions end with the platform
   */
  host?: MemoryHost;
}

/** A platform whose sessions are entries of a map and whose desktops echo every byte. For tests. */
export function memoryPlatform({ host }: MemoryPlatformOptions = {}): MemoryPlatform {
  const capabilities: Capabilities = host
    ? { hibernate: true, survivesAgentRestart: true }
    : {
        hibernate: true,
        survivesAgentRestart: false,
        reasons: { survivesAgentRestart: 'Sessions are entries of a map in this process.' },
      };
  return new InMemoryPlatform((host as InMemoryHost | undefined) ?? new InMemoryHost(), capabilities);
}

/** States: open → closed. Closed, it starts nothing; its sessions stay on a host that was passed in. */
class InMemoryPlatform implements MemoryPlatform {
  readonly name = 'memory';
  readonly effects: string[] = [];
  before: MemoryPlatform['before'] = async () => undefined;
  readonly #turns = sessionTurns();
  readonly #watchers = new Set<(session: PlatformSession) => void>();
  #closed = false;

  constructor(
    private readonly host: InMemoryHost,
    readonly capabilities: Capabilities,
  ) {}

  start: Platform['start'] = async (spec, by, signal) =>
    this.#change(spec.sessionId, signal, async () => {
      const session = this.#held(spec.sessionId, by);
      const same = session?.generation === by.generation;
      if (session?.state === 'running' && same) return session;
      await this.before('start', spec.sessionId, signal);
      signal.throwIfAborted();
      return this.#run('start', spec.sessionId, by);
    });

  stop: Platform['stop'] = async (sessionId, by, signal) =>
    this.#change(sessionId, signal, async () => {
      if (!this.#held(sessionId, by)) return;
      await this.before('stop', sessionId, signal);
      signal.throwIfAborted();
      this.host.end(this.host.desktopOf(sessionId));
      this.host.records.delete(sessionId);
      this.effects.push(`stop ${sessionId}`);
    });

  hibernate: Platform['hibernate'] = async (sessionId, by, signal) =>
    this.#change(sessionId, signal, async () => {
      const session = this.#existing(sessionId, by);
      if (session.state === 'hibernated') return session;
      await this.before('hibernate', sessionId, signal);
      signal.throwIfAborted();
      this.host.end(this.host.desktopOf(sessionId));
      return this.#record('hibernate', { sessionId, ...by, state: 'hibernated' });
    });

  wake: Platform['wake'] = async (sessionId, by, signal) =>
    this.#change(sessionId, signal, async () => {
      const session = this.#existing(sessionId, by);
      if (session.state === 'running') return session;
      await this.before('wake', sessionId, signal);
      signal.throwIfAborted();
      return this.#run('wake', sessionId, by);
    });

  list: Platform['list'] = async (signal) => {
    this.#ready(signal);
    return [...this.host.records.values()];
  };

  inspect: Platform['inspect'] = async (sessionId, signal) => {
    this.#ready(signal);
    return this.host.records.get(sessionId);
  };

  openStream: Platform['openStream'] = async (sessionId, port, signal) => {
    this.#ready(signal);
    const desktop = this.host.desktopOf(sessionId);
    if (!desktop) throw new PlatformError('session_not_found', `session ${sessionId} is not running`);
    if (port !== 'vnc') throw new PlatformError('connect_failed', `a session has the port vnc, not ${port}`);
    return this.host.connect(desktop);
  };

  watch(changed: (session: PlatformSession) => void): () => void {
    // An entry of its own: the same function may watch twice.
    const watcher = (session: PlatformSession): void => changed(session);
    this.#watchers.add(watcher);
    this.host.watchers.add(watcher);
    return () => {
      this.#watchers.delete(watcher);
      this.host.watchers.delete(watcher);
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const watcher of this.#watchers) this.host.watchers.delete(watcher);
    if (this.capabilities.survivesAgentRestart) return;
    for (const desktop of this.host.desktops) this.host.end(desktop);
    this.host.records.clear();
  }

  #change<Result>(sessionId: string, signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
    checkSessionId(sessionId);
    return this.#turns.run(sessionId, signal, async () => {
      this.#ready(signal);
      return work();
    });
  }

  #ready(signal: AbortSignal): void {
    signal.throwIfAborted();
    if (this.#closed) throw new PlatformError('platform_unavailable', 'the platform is closed');
    if (!this.host.available)
      throw new PlatformError('platform_unavailable', 'the host does not answer', true);
  }

  #held(sessionId: string, by: Change): PlatformSession | undefined {
    const session = this.host.records.get(sessionId);
    checkGeneration(session, by);
    return session;
  }

  #existing(sessionId: string, by: Change): PlatformSession {
    const session = this.#held(sessionId, by);
    if (!session) throw new PlatformError('session_not_found', `there is no session ${sessionId}`);
    return session;
  }

  #run(what: string, sessionId: string, by: Change): PlatformSession {
    this.host.end(this.host.desktopOf(sessionId));
    this.host.boot(sessionId, by.generation);
    return this.#record(what, { sessionId, ...by, state: 'running' });
  }

  #record(what: string, session: PlatformSession): PlatformSession {
    this.host.records.set(session.sessionId, session);
    this.effects.push(`${what} ${session.sessionId}`);
    return session;
  }
}
