import type { Action, Capacity } from '@streamspace/protocol';
import type { LeaderElection } from './election.js';
import type { AgentMetrics } from './metrics.js';
import type { Platform } from './platform.js';

/** What an agent reports of itself, for logs. */
export type AgentEvent =
  /** It asks to be the one agent of its group that acts. */
  | { readonly type: 'campaigning' }
  | { readonly type: 'leading'; readonly fencingToken?: number }
  | { readonly type: 'leadership_ended'; readonly reason: string }
  | { readonly type: 'registering'; readonly agentId: string }
  | { readonly type: 'registered'; readonly agentId: string }
  | {
      readonly type: 'connected';
      readonly agentId: string;
      readonly epoch: number;
      readonly heartbeatIntervalMs: number;
    }
  | { readonly type: 'disconnected'; readonly reason: string; readonly retryInMs: number }
  /** The control plane asks to move to another of its replicas; the connection goes on until the next one is there. */
  | { readonly type: 'moving'; readonly reason: string }
  | {
      readonly type: 'heartbeat';
      readonly activeSessions: number;
      readonly capacity: Capacity;
      /** The first on its connection. */
      readonly isFirst: boolean;
    }
  /** A heartbeat was sent this much after its time: the process was busy, or suspended. */
  | { readonly type: 'heartbeat_late'; readonly lateMs: number }
  | {
      readonly type: 'command';
      readonly commandId: string;
      readonly action: Action;
      readonly sessionId: string;
    }
  | {
      readonly type: 'command_done';
      readonly commandId: string;
      readonly action: Action;
      readonly sessionId: string;
      readonly ok: boolean;
      /** Of what failed. */
      readonly code?: string;
      readonly detail?: string;
    }
  /** As it was reported for the session's timeline. */
  | { readonly type: 'session'; readonly sessionId: string; readonly kind: string; readonly message: string }
  | {
      readonly type: 'stream';
      readonly sessionId: string;
      readonly open: boolean;
      /** What ended it, if that was a failure. */
      readonly detail?: string;
    }
  /** In this order: draining (no more is taken), flushing (results are being stored), stopped. */
  | { readonly type: 'stopping'; readonly step: 'draining' | 'flushing' | 'stopped' };

export interface AgentOptions {
  /** Unique per place where sessions run; replicas of a highly available agent share it. */
  agentId: string;
  /** Base URL of the control plane: ws, wss, http or https, a path is kept. */
  controlPlaneUrl: string;
  /**
   * Whether the key may go unencrypted (ws or http) to a host that is not this machine: whoever can read the network on
   * the way can then act as this agent. For networks that are trusted, such as one inside a cluster. @default false
   */
  allowInsecureControlPlane?: boolean;
  /** Sent as `X-Agent-API-Key`: 1 to 255 printable ASCII characters, without a space at either end. */
  apiKey: string;
  platform: Platform;
  region?: string;
  /** What sessions may ask of an agent, for example `{gpu: 'yes'}`. @default none */
  labels?: Readonly<Record<string, string>>;
  /**
   * What the control plane is told. Starts and wakes past `maxSessions` fail with `capacity_exhausted`; cores and GB are
   * shown only, and limit nothing. 0 means unlimited. @default {maxSessions: 0}
   */
  capacity?: Capacity;
  /** @default alwaysLeader() */
  election?: LeaderElection;
  /**
   * Pauses before connecting again, in ms. After the n-th failure in a row one is random between 0 and
   * `first` · 2ⁿ⁻¹, at most `longest`. A connection that had lasted 15 s counts as three failures, and what failed before
   * it does not count: agents that lose the same control plane come back spread over `first` · 8. After another
   * instance of the agent took over a pause is `superseded` at least.
   * @default {first: 250, longest: 15_000, superseded: 30_000}
   */
  reconnect?: { first: number; longest: number; superseded?: number };
  /**
   * Commands that are carried out at once; more wait for their turn. One whose call of the platform has not ended 5 s
   * after it was given up makes room for another, but not for one of its session; with as many such calls as this the
   * agent is not ready, and past it they make no room. @default 16
   */
  parallelCommands?: number;
  /** A session without input from its viewers for this long is reported as idle, in ms; 0 is never. @default 900_000 */
  idleAfterMs?: number;
  /** What a running session uses of its host is reported at most once in this time, in ms; 0 is never. @default 300_000 */
  usageIntervalMs?: number;
  /** How often a platform without `watch` is asked for its sessions, in ms. @default 10_000 */
  pollIntervalMs?: number;
  /** How long commands that are being carried out may take once the agent is to stop, in ms. @default 10_000 */
  stopTimeoutMs?: number;
  onEvent?: (event: AgentEvent) => void;
  onError?: (error: unknown, where: string) => void;
}

/** idle → campaigning → registering → connecting → connected → (connecting …) → stopping → (campaigning …) → stopped */
export type AgentStatus =
  'idle' | 'campaigning' | 'registering' | 'connecting' | 'connected' | 'stopping' | 'stopped';

/** What a probe wants to know. */
export interface AgentHealth {
  readonly status: AgentStatus;
  /** It runs; starting the process again would not help. */
  readonly healthy: boolean;
  /** It is connected, or stands by for another of its group; and its platform answers. */
  readonly ready: boolean;
  /** Why it is not ready or not healthy, a sentence. */
  readonly reason?: string;
  /** Of the current connection. */
  readonly epoch?: number;
  /** How long nothing was heard of the control plane, in ms; while there is a connection. */
  readonly silentMs?: number;
}

export interface Agent {
  readonly status: AgentStatus;
  /**
   * Runs until the signal aborts, then stops gracefully and resolves. Failures of the network are retried for ever;
   * rejects only when trying again cannot help (`unauthorized`, `refused`).
   */
  run(signal: AbortSignal): Promise<void>;
  /** As of now; costs nothing. */
  health(): AgentHealth;
  /** As of now: a copy. Costs one pass over sessions, commands and streams. */
  metrics(): AgentMetrics;
}
