import type { ObservedState } from '@streamspace/protocol';
import type { ByteChannel } from '@streamspace/vnc-tunnel';

/** What a session is to be. Everything that a platform needs to create it, or to create it again. */
export interface SessionSpec {
  /** A valid DNS label; names every object that belongs to the session. */
  readonly sessionId: string;
  /** Grows with each re-creation; see {@link Change}. */
  readonly generation: number;
  readonly user: string;
  /** The template's name, and its manifest (a StreamSpace Template as JSON: `{metadata, spec}`). */
  readonly template: string;
  readonly manifest: Readonly<Record<string, unknown>>;
  /** Initial size of the desktop in pixels. */
  readonly screen?: { readonly width: number; readonly height: number };
  /** Keep the session's home folder when the session is stopped. @default true */
  readonly persistentHome?: boolean;
}

/** Who asks for a change. The platform stores it with what it changed and returns it from `list` and `inspect`. */
export interface Change {
  readonly commandId: string;
  /** Of the session. A platform MUST refuse (`stale_generation`) one below what it holds. */
  readonly generation: number;
}

/** A session as the platform has it. */
export interface PlatformSession {
  readonly sessionId: string;
  readonly generation: number;
  /** The command that last changed it. */
  readonly commandId: string;
  readonly state: ObservedState;
  /** Why it is `failed` or `stopped`, as a sentence: an exit code, a signal, memory that ran out. */
  readonly reason?: string;
  /** What it uses now, where the platform can tell. */
  readonly usage?: SessionUsage;
  /** Facts to show to an administrator, for example a container's id. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** What a session uses of its host. */
export interface SessionUsage {
  /** CPU time since the session was started, in seconds. */
  readonly cpuSeconds: number;
  /** Memory that it holds, in bytes. */
  readonly memoryBytes: number;
}

/** What a platform can do. What it declares it MUST do; what it declares it can't, nobody asks of it. */
export interface Capabilities {
  /** `hibernate` and `wake` work. Where not, they reject with `not_supported`. */
  readonly hibernate: boolean;
  /**
   * After the agent's process was killed and started again, `list` has every session that it had, with its generation,
   * its last command and its state.
   */
  readonly survivesAgentRestart: boolean;
  /**
   * A session can reach neither the agent nor another session nor their files. Where not, the control plane lets only
   * administrators create sessions there, unless it is told otherwise. @default true
   */
  readonly isolated?: boolean;
  /** Why something can't be done, a sentence for each flag that is `false`; printed in compliance reports. */
  readonly reasons?: Readonly<Partial<Record<'hibernate' | 'survivesAgentRestart' | 'isolated', string>>>;
}

/**
 * The whole contract between an agent and the place where sessions run.
 *
 * Every method
 *
 * - MUST be idempotent by session id: asked twice with the same generation, it does nothing twice and returns the
 *   same state;
 * - MUST stop what it does when `signal` aborts, release what it had taken, and reject with the signal's reason;
 * - MUST reject with a {@link PlatformError}, which says whether trying again can help;
 * - MAY be called for several sessions at once; for one session the caller waits for each call before the next.
 */
export interface Platform {
  /** As it is called in the API: `kubernetes`, `docker`, `local`, or one's own. */
  readonly name: string;
  readonly capabilities: Capabilities;

  /** Creates the session, or adopts it where it exists; resolves when its desktop takes connections. */
  start(spec: SessionSpec, change: Change, signal: AbortSignal): Promise<PlatformSession>;
  /** Ends the session and frees all that it holds but a persistent home. A session that is not there is no error. */
  stop(sessionId: string, change: Change, signal: AbortSignal): Promise<void>;
  /** Ends the session's processes and keeps what `wake` needs. */
  hibernate(sessionId: string, change: Change, signal: AbortSignal): Promise<PlatformSession>;
  wake(sessionId: string, change: Change, signal: AbortSignal): Promise<PlatformSession>;

  /** Every session that this agent owns. MUST reject rather than return a part. */
  list(signal: AbortSignal): Promise<PlatformSession[]>;
  /** One session, or `undefined` where it does not exist. */
  inspect(sessionId: string, signal: AbortSignal): Promise<PlatformSession | undefined>;

  /**
   * Connects to a port of a running session; `vnc` is its desktop and speaks RFB. Each call is a connection of its own.
   * Rejects with `session_not_found` or `connect_failed`.
   */
  openStream(sessionId: string, port: string, signal: AbortSignal): Promise<ByteChannel>;

  /** Reports changes that no call asked for. Returns how to stop reporting. Optional: without it, `list` is polled. */
  watch?(changed: (session: PlatformSession) => void): () => void;

  /** Releases what the platform holds in this process. Sessions stay where they can outlive the agent. */
  close?(): Promise<void>;
}
