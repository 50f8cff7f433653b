import type { ObservedState } from '@streamspace/protocol';
import type { ByteChannel } from '@streamspace/vnc-tunnel';

/** What a session is to be. Everything that a platform needs to create it, or to create it again. */
export interface SessionSpec {
  /** A valid DNS label (1 to 63 of a-z, 0-9 and -); names every object that belongs to the session. */
  readonly sessionId: string;
  /** Grows with each re-creation; see {@link Change}. */
  readonly generation: number;
  readonly user: string;
  /** The template's name, and its manifest (a StreamSpace Template as JSON: `{metadata, spec}`). */
  readonly template: string;
  readonly manifest: Readonly<Record<string, unknown>>;
  /** Initial size of the desktop in pixels. @default what the template or the platform prefers */
  readonly screen?: { readonly width: number; readonly height: number };
  /** Keep the session's home folder when the session is stopped. @default true */
  readonly persistentHome?: boolean;
}

/**
 * Who asks for a change. It is all that is known of a command once the agent's process has died, so the platform MUST
 * store it with what it changed, in one step with the change where it can, and return it from `list` and `inspect`.
 */
export interface Change {
  readonly commandId: string;
  /** Of the session. A platform MUST refuse (`stale_generation`) one below what it holds. */
  readonly generation: number;
}

/**
 * A session as the platform has it.
 *
 *     (none) ─start→ starting → running ─hibernate→ hibernated ─wake→ running
 *                                  └ by itself → stopped | failed ─start→ running
 *     any ─stop→ (none)
 */
export interface PlatformSession {
  readonly sessionId: string;
  readonly generation: number;
  /** The command that last changed it. One that found its work done already MAY leave what it found. */
  readonly commandId: string;
  /**
   * `running`: its desktop takes connections now. `starting`: it will, or `start` will fail. `hibernated`: `wake`
   * brings it back. `stopped` and `failed`: it ended by itself, well or not, and holds nothing that anyone can use.
   */
  readonly state: ObservedState;
  /**
   * Why it is `failed` or `stopped`, as a sentence: an exit code, a signal, memory that ran out. One that failed MUST
   * have it.
   */
  readonly reason?: string;
  /** What it uses now, where the platform can tell; what it cannot tell it MUST leave out, rather than guess. */
  readonly usage?: SessionUsage;
  /** Facts to show to an administrator, for example a container's id. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** What a session uses of its host: finite numbers, at least 0. */
export interface SessionUsage {
  /** CPU time since the session was started, in seconds. */
  readonly cpuSeconds: number;
  /** Memory that it holds, in bytes. */
  readonly memoryBytes: number;
}

/** What a platform can do. What it declares it MUST do; what it declares it can't, nobody asks of it. */
export interface Capabilities {
  /** `hibernate` and `wake` work. Where not, they MUST reject with `not_supported`. */
  readonly hibernate: boolean;
  /**
   * After the agent's process was killed and started again, `list` has every session that it had, with its generation,
   * its last command and its state. Where not, sessions MUST end with the process: one that nobody lists is one that
   * nobody stops.
   */
  readonly survivesAgentRestart: boolean;
  /**
   * A session can reach neither the agent nor another session nor their files. Where not, the control plane lets only
   * administrators create sessions there, unless it is told otherwise. What is declared here the suite tries to
   * disprove, see `isolation` of its fixture. @default false
   */
  readonly isolated?: boolean;
  /** Why something can't be done: a sentence for each flag that is `false`, printed in compliance reports. */
  readonly reasons?: Readonly<Partial<Record<'hibernate' | 'survivesAgentRestart' | 'isolated', string>>>;
}

/**
 * The whole contract between an agent and the place where sessions run.
 *
 * Every method
 *
 * - MUST be idempotent by session id: asked twice with the same generation, by one command or by two, one after the
 *   other or at once, it does nothing twice and returns the same state;
 * - MUST, when `signal` aborts before the work is done, stop, release what it took, and reject with `signal.reason`
 *   itself, soon (the agent waits five seconds); `stop` and `hibernate` MAY go through with what they began. A call
 *   whose signal has aborted already MUST change nothing. The agent settles a command without its call when that
 *   takes longer;
 * - MUST otherwise reject with a {@link PlatformError}, or an Error with the same `code` and `shouldRetry`, which says
 *   whether trying again can help: until the command's deadline the agent makes the same call again where it is `true`,
 *   but not after `capacity_exhausted`;
 * - MUST leave nothing behind when it rejects, so that the same call can follow;
 * - MUST refuse a `sessionId` that is no DNS label (`checkSessionId` does it), before it becomes a path or a name;
 * - MUST NOT let one session wait for another; calls for one session take effect one after the other (`sessionTurns`
 *   does it).
 *
 * `platformSuite` and `runPlatformSuite` of `@streamspace/agent-core/testing` prove all of it.
 */
export interface Platform {
  /** As it is called in the API: `kubernetes`, `docker`, `local`, or one's own. */
  readonly name: string;
  /** MUST NOT change during the life of the object. */
  readonly capabilities: Capabilities;

  /**
   * Creates the session, or adopts it where it exists.
   *
   * MUST resolve only when the desktop takes connections, with the state `running`. Finds it running in the same
   * generation: MUST leave it alone, viewers included. Finds an older generation: MUST end that first, viewers
   * included. Finds it hibernated, stopped or failed: MUST bring it back. MUST NOT leave anything of a start that
   * failed or was aborted.
   *
   * @throws `template_unsupported`, `image_missing`, `invalid_session_id`, `stale_generation`; with `shouldRetry`:
   * `capacity_exhausted`, `platform_unavailable`
   */
  start(spec: SessionSpec, change: Change, signal: AbortSignal): Promise<PlatformSession>;

  /**
   * Ends the session and its connections, and frees all that it holds but a persistent home.
   *
   * MUST resolve only when that is so, and take a session that is not there for done. A generation above the one that
   * it holds ends the session too.
   *
   * @throws `stale_generation`; with `shouldRetry`: `platform_unavailable`
   */
  stop(sessionId: string, change: Change, signal: AbortSignal): Promise<void>;

  /**
   * Ends the session's processes and connections and keeps what `wake` needs.
   *
   * MUST resolve with the state `hibernated`, after which `openStream` MUST refuse.
   *
   * @throws `session_not_found`, `stale_generation`, `not_supported`; with `shouldRetry`: `platform_unavailable`
   */
  hibernate(sessionId: string, change: Change, signal: AbortSignal): Promise<PlatformSession>;

  /**
   * Brings a hibernated session back.
   *
   * MUST resolve only when the desktop takes connections, with the state `running`. One that was aborted or failed
   * MUST leave the session hibernated.
   *
   * @throws as `hibernate`; and with `shouldRetry`: `capacity_exhausted`
   */
  wake(sessionId: string, change: Change, signal: AbortSignal): Promise<PlatformSession>;

  /**
   * Every session that this agent owns, hibernated and failed ones too.
   *
   * MUST reject rather than return a part: what is missing is taken for lost, and what is too much for an orphan, and
   * stopped. MUST NOT have anything that another agent owns; nor may any other call see or change it.
   *
   * @throws with `shouldRetry`: `platform_unavailable`
   */
  list(signal: AbortSignal): Promise<PlatformSession[]>;

  /** One session, as `list` has it, or `undefined` where it does not exist. MUST NOT say so where it cannot tell. */
  inspect(sessionId: string, signal: AbortSignal): Promise<PlatformSession | undefined>;

  /**
   * Connects to a port of a running session; `vnc` is its desktop and speaks RFB.
   *
   * Each call MUST be a connection of its own, which ends when the session stops or hibernates, and which MUST NOT
   * hold anything once it was ended or aborted. `signal` is for connecting only.
   *
   * @throws `session_not_found` where there is no such session; `connect_failed` for a port that it does not have, and
   * with `shouldRetry` where nothing answers; either for a session that is not running
   */
  openStream(sessionId: string, port: string, signal: AbortSignal): Promise<ByteChannel>;

  /**
   * Reports changes that no call asked for, such as a desktop that crashed; MAY report those that a call asked for.
   * Returns how to stop reporting, after which `changed` MUST NOT be called. MUST NOT throw; a `changed` that throws
   * MUST NOT keep the report from others who watch, nor later ones from itself. Optional: without it, `list` is polled.
   */
  watch?(changed: (session: PlatformSession) => void): () => void;

  /**
   * Releases what the platform holds in this process. Sessions stay where the platform `survivesAgentRestart`, and end
   * otherwise. MUST be idempotent, and MUST NOT resolve while a call can still change something: what is under way or
   * waits for its turn is aborted. Afterwards nothing may be started (`platform_unavailable`).
   */
  close?(): Promise<void>;
}
