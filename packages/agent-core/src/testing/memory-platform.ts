import type { ByteChannel } from '@streamspace/vnc-tunnel';
import { channelPair } from '@streamspace/vnc-tunnel/testing';
import { PlatformError } from '../errors.js';
import type { Change, Platform, PlatformSession, SessionSpec } from '../platform.js';

export interface MemoryPlatform extends Platform {
  /** Every change that had an effect, oldest first, as `start desk-1`. */
  readonly effects: readonly string[];
  /** Called before each change has its effect; a rejection fails the change. */
  before: (what: string, sessionId: string, signal: AbortSignal) => Promise<void>;
}

/** A platform whose sessions are entries of a map and whose desktops echo every byte. For tests. */
export function memoryPlatform(): MemoryPlatform {
  const sessions = new Map<string, PlatformSession>();
  const effects: string[] = [];
  const desktops = new Map<string, Set<ByteChannel>>();

  const disconnect = (sessionId: string): void => {
    for (const channel of desktops.get(sessionId) ?? []) channel.abort(new Error('the session ended'));
    desktops.delete(sessionId);
  };
  const held = (sessionId: string, { generation }: Change): PlatformSession | undefined => {
    const session = sessions.get(sessionId);
    if (session && generation < session.generation)
      throw new PlatformError(
        'stale_generation',
        `session ${sessionId} is at generation ${session.generation}, not ${generation}`,
      );
    return session;
  };
  const change = async (
    what: string,
    sessionId: string,
    by: Change,
    signal: AbortSignal,
    state: PlatformSession['state'],
  ): Promise<PlatformSession> => {
    await platform.before(what, sessionId, signal);
    signal.throwIfAborted();
    const session: PlatformSession = { sessionId, ...by, state };
    sessions.set(sessionId, session);
    if (state !== 'running') disconnect(sessionId);
    effects.push(`${what} ${sessionId}`);
    return session;
  };
  const existing = (sessionId: string, by: Change): PlatformSession => {
    const session = held(sessionId, by);
    if (!session) throw new PlatformError('session_not_found', `there is no session ${sessionId}`);
    return session;
  };

  const platform: MemoryPlatform = {
    name: 'memory',
    capabilities: { hibernate: true, survivesAgentRestart: false },
    effects,
    before: async () => undefined,
    async start(spec: SessionSpec, by, signal) {
      const session = held(spec.sessionId, by);
      if (session?.state === 'running' && session.generation === by.generation) return session;
      return change('start', spec.sessionId, by, signal, 'running');
    },
    async stop(sessionId, by, signal) {
      if (!held(sessionId, by)) return;
      await platform.before('stop', sessionId, signal);
      signal.throwIfAborted();
      sessions.delete(sessionId);
      disconnect(sessionId);
      effects.push(`stop ${sessionId}`);
    },
    async hibernate(sessionId, by, signal) {
      const session = existing(sessionId, by);
      return session.state === 'hibernated'
        ? session
        : change('hibernate', sessionId, by, signal, 'hibernated');
    },
    async wake(sessionId, by, signal) {
      const session = existing(sessionId, by);
      return session.state === 'running' ? session : change('wake', sessionId, by, signal, 'running');
    },
    async list() {
      return [...sessions.values()];
    },
    async inspect(sessionId) {
      return sessions.get(sessionId);
    },
    async openStream(sessionId, port, signal) {
      signal.throwIfAborted();
      if (sessions.get(sessionId)?.state !== 'running')
        throw new PlatformError('session_not_found', `session ${sessionId} is not running`);
      if (port !== 'vnc')
        throw new PlatformError('connect_failed', `a session has the port vnc, not ${port}`);
      const [near, far] = channelPair();
      const open = desktops.get(sessionId) ?? new Set();
      desktops.set(sessionId, open.add(far));
      void echo(far).finally(() => open.delete(far));
      return near;
    },
  };
  return platform;
}

async function echo(channel: ByteChannel): Promise<void> {
  try {
    for (let chunk = await channel.read(); chunk; chunk = await channel.read())
      await channel.write(chunk.slice());
    await channel.end();
  } catch {
    // The other end was aborted: there is nobody left to echo to.
  }
}
