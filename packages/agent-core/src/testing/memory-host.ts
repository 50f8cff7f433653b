import type { ByteChannel } from '@streamspace/vnc-tunnel';
import { channelPair } from '@streamspace/vnc-tunnel/testing';
import type { PlatformSession } from '../platform.js';

/** Where memory platforms keep their sessions. It outlives them, as a host outlives the agent's process. */
export interface MemoryHost {
  /** While it is `false`, every call of its platforms rejects with `platform_unavailable`. */
  available: boolean;
  /** What it holds for sessions: a line for each desktop and each connection, oldest first. */
  leftovers(): string[];
  /** Ends the session's desktop behind its platform's back. */
  crash(sessionId: string): void;
}

export function memoryHost(): MemoryHost {
  return new InMemoryHost();
}

/** A desktop that echoes every byte to whoever sent it. */
export interface MemoryDesktop {
  readonly sessionId: string;
  readonly generation: number;
  readonly connections: Set<ByteChannel>;
}

/** What belongs to one session of a memory host. */
type Kind = 'home' | 'port';

/** Its parts, for the platforms that run on it and for drivers that misuse it. */
export class InMemoryHost implements MemoryHost {
  available = true;
  /** What platforms wrote down of their sessions. */
  readonly records = new Map<string, PlatformSession>();
  /** Home folders by session, each with something to know it by, and whether it outlives its session. */
  readonly homes = new Map<string, { readonly home: string; readonly persistent: boolean }>();
  homesMade = 0;
  readonly desktops = new Set<MemoryDesktop>();
  /** What a session of it can reach of the others. */
  readonly shares = new Set<Kind>();
  readonly watchers = new Set<(session: PlatformSession) => void>();

  leftovers(): string[] {
    return [...this.desktops].flatMap(({ sessionId, generation, connections }) => [
      `desktop of ${sessionId}, generation ${generation}`,
      ...[...connections].map(() => `connection to ${sessionId}`),
    ]);
  }

  /** Whether a program of this session would reach what belongs to that one. */
  reaches(sessionId: string, owner: string, kind: Kind): boolean {
    const exists = kind === 'home' ? this.homes.has(owner) : this.desktopOf(owner) !== undefined;
    return exists && (sessionId === owner || this.shares.has(kind));
  }

  boot(sessionId: string, generation: number): MemoryDesktop {
    const desktop: MemoryDesktop = { sessionId, generation, connections: new Set() };
    this.desktops.add(desktop);
    return desktop;
  }

  /** The session's desktop: the last one that was booted, should a driver have booted several. */
  desktopOf(sessionId: string): MemoryDesktop | undefined {
    return [...this.desktops].reverse().find((desktop) => desktop.sessionId === sessionId);
  }

  end(desktop: MemoryDesktop | undefined): void {
    if (!desktop) return;
    this.desktops.delete(desktop);
    for (const channel of desktop.connections) channel.abort(new Error('the session ended'));
  }

  connect(desktop: MemoryDesktop): ByteChannel {
    const [near, far] = channelPair();
    desktop.connections.add(far);
    void echo(far).finally(() => desktop.connections.delete(far));
    return near;
  }

  crash(sessionId: string): void {
    const record = this.records.get(sessionId);
    this.end(this.desktopOf(sessionId));
    if (record?.state !== 'running') return;
    const crashed: PlatformSession = { ...record, state: 'failed', reason: 'its desktop crashed' };
    this.records.set(sessionId, crashed);
    for (const changed of this.watchers) changed(crashed);
  }
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
