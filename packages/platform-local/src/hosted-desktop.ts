import type { ByteChannel, SessionUsage } from '@streamspace/agent-core';

/** How a session ended that nobody ended. */
export interface UnaskedEnd {
  /** `stopped`: it ended in order, as after a logout. */
  readonly state: 'stopped' | 'failed';
  readonly reason: string;
}

/**
 * What runs a session. States: closed → open → closed, and again. The platform makes one call at a time, `connect` and
 * what only asks excepted.
 */
export interface HostedDesktop {
  /** Resolves when the desktop takes connections. When it rejects, nothing of it is left. */
  open(signal: AbortSignal): Promise<void>;
  /** Takes over what an earlier agent process has opened; `false` where that is not there as it should be. */
  adopt(): Promise<boolean>;
  /** Ends the desktop with all that belongs to it, whether this object has opened it or not. Keeps the home. */
  close(): Promise<void>;
  /** Whether what it needs is there now; what has ended may not have been reported yet. */
  isAlive(): Promise<boolean>;
  /** Lets go of it in this process. What can run on without, runs on. */
  release(): Promise<void>;
  connect(signal: AbortSignal): Promise<ByteChannel>;
  /** Removes what `close` keeps for the next time, the home excepted. */
  forget(): Promise<void>;
  details(): Readonly<Record<string, unknown>>;
  usage?(): Promise<SessionUsage | undefined>;
}
