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
  /** Whose sessions it has, where several agents share the host. @default one that has no name */
  agentId?: string;
}

/** A platform whose sessions are entries of a map and whose desktops echo every byte. For tests. */
export function memoryPlatform({ host, agentId }: MemoryPlatformOptions = {}): MemoryPlatform {
  const capabilities: Capabilities = host
    ? { hibernate: true, survivesAgentRestart: true, isolated: true }
    : {
        hibernate: true,
        survivesAgentRestart: false,
        isolated: true,
        reasons: { survivesAgentRestart: 'Sessions are entries of a map in this process.' },
      };
  return new InMemoryPlatform(
    (host as InMemoryHost | undefined) ?? new InMemoryHost(),
    capabilities,
    agentId,
  );
}

/** States: open → closed. Closed, it starts nothing; its sessions stay on a host that was passed in. */
class InMemoryPlatform implements MemoryPlatform {
  readonly name = 'memory';
  readonly effects: string[] = [];
  before: MemoryPlatform['before'] = async () => undefined;
  readonly #turns = sessionTurns();
  readonly #watchers = new Set<(session: PlatformSession) => void>();
  readonly #ending = new AbortController();

  constructor(
    private readonly host: InMemoryHost,
    readonly capabilities: Capabilities,
    private readonly agentId: string | undefined,
  ) {}

  start: Platform['start'] = async (spec, by, signal) =>
    this.#change(spec.sessionId, signal, async (signal) => {
      if (!this.#isOwn(this.host.records.get(spec.sessionId)))
        throw new PlatformError('platform_unavailable', `another agent has the session ${spec.sessionId}`);
      const session = this.#held(spec.sessionId, by);
      const same = session?.generation === by.generation;
      if (session?.state === 'running' && same) return session;
      await this.before('start', spec.sessionId, signal);
      signal.throwIfAborted();
      this.host.homes.set(spec.sessionId, {
        home: this.host.homes.get(spec.sessionId)?.home ?? `home ${(this.host.homesMade += 1)}`,
        persistent: spec.persistentHome ?? true,
      });
      return this.#run('start', spec.sessionId, by);
    });

  stop: Platform['stop'] = async (sessionId, by, signal) =>
    this.#change(sessionId, signal, async (signal) => {
      if (!this.#held(sessionId, by)) return;
      await this.before('stop', sessionId, signal);
      signal.throwIfAborted();
      this.host.end(this.host.desktopOf(sessionId));
      this.host.records.delete(sessionId);
      if (!this.host.homes.get(sessionId)?.persistent) this.host.homes.delete(sessionId);
      this.effects.push(`stop ${sessionId}`);
    });

  hibernate: Platform['hibernate'] = async (sessionId, by, signal) =>
    this.#change(sessionId, signal, async (signal) => {
      const session = this.#existing(sessionId, by);
      if (session.state === 'hibernated') return session;
      await this.before('hibernate', sessionId, signal);
      signal.throwIfAborted();
      this.host.end(this.host.desktopOf(sessionId));
      return this.#record('hibernate', { sessionId, ...by, state: 'hibernated' });
    });

  wake: Platform['wake'] = async (sessionId, by, signal) =>
    this.#change(sessionId, signal, async (signal) => {
      const session = this.#existing(sessionId, by);
      if (session.state === 'running') return session;
      await this.before('wake', sessionId, signal);
      signal.throwIfAborted();
      return this.#run('wake', sessionId, by);
    });

  list: Platform['list'] = async (signal) => {
    this.#ready(signal);
    return [...this.host.records.values()].filter((record) => this.#isOwn(record));
  };

  inspect: Platform['inspect'] = async (sessionId, signal) => {
    checkSessionId(sessionId);
    this.#ready(signal);
    return this.#own(sessionId);
  };

  openStream: Platform['openStream'] = async (sessionId, port, signal) => {
    checkSessionId(sessionId);
    this.#ready(signal);
    const desktop = this.#isOwn(this.host.records.get(sessionId))
      ? this.host.desktopOf(sessionId)
      : undefined;
    if (!desktop) throw new PlatformError('session_not_found', `session ${sessionId} is not running`);
    if (port !== 'vnc') throw new PlatformError('connect_failed', `a session has the port vnc, not ${port}`);
    return this.host.connect(desktop);
  };

  watch(changed: (session: PlatformSession) => void): () => void {
    // An entry of its own: the same function may watch twice.
    const watcher = (session: PlatformSession): void => {
      if (!this.#isOwn(session)) return;
      try {
        changed(session);
      } catch {
        // Whoever watches has to deal with its own failures; others who watch cannot.
      }
    };
    this.#watchers.add(watcher);
    this.host.watchers.add(watcher);
    return () => {
      this.#watchers.delete(watcher);
      this.host.watchers.delete(watcher);
    };
  }

  async close(): Promise<void> {
    this.#ending.abort(new PlatformError('platform_unavailable', 'the platform is closed'));
    for (const watcher of this.#watchers) this.host.watchers.delete(watcher);
    if (this.capabilities.survivesAgentRestart) return;
    for (const desktop of this.host.desktops) this.host.end(desktop);
    this.host.records.clear();
  }

  #change<Result>(
    sessionId: string,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    checkSessionId(sessionId);
    const either = AbortSignal.any([signal, this.#ending.signal]);
    return this.#turns.run(sessionId, either, async () => {
      this.#ready(either);
      return work(either);
    });
  }

  #ready(signal: AbortSignal): void {
    signal.throwIfAborted();
    this.#ending.signal.throwIfAborted();
    if (!this.host.available)
      throw new PlatformError('platform_unavailable', 'the host does not answer', true);
  }

  #held(sessionId: string, by: Change): PlatformSession | undefined {
    const session = this.#own(sessionId);
    checkGeneration(session, by);
    return session;
  }

  #own(sessionId: string): PlatformSession | undefined {
    const session = this.host.records.get(sessionId);
    return this.#isOwn(session) ? session : undefined;
  }

  #isOwn(session: PlatformSession | undefined): boolean {
    return !session || session.details?.['agent'] === this.agentId;
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

  #record(what: string, change: PlatformSession): PlatformSession {
    const session = this.agentId === undefined ? change : { ...change, details: { agent: this.agentId } };
    this.host.records.set(session.sessionId, session);
    this.effects.push(`${what} ${session.sessionId}`);
    return session;
  }
}
