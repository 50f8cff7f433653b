import type { Capacity } from '@streamspace/protocol';
import type { LeaderElection } from './election.js';
import type { Platform } from './platform.js';

/** What an agent reports of itself, for logs and health checks. */
export type AgentEvent =
  | { readonly type: 'registered'; readonly agentId: string }
  | { readonly type: 'leading'; readonly fencingToken?: number }
  | {
      readonly type: 'connected';
      readonly agentId: string;
      readonly epoch: number;
      readonly heartbeatIntervalMs: number;
    }
  | { readonly type: 'disconnected'; readonly reason: string; readonly retryInMs: number }
  | {
      readonly type: 'command';
      readonly commandId: string;
      readonly action: string;
      readonly sessionId: string;
    }
  | {
      readonly type: 'command_done';
      readonly commandId: string;
      readonly ok: boolean;
      readonly detail?: string;
    }
  | { readonly type: 'stream'; readonly sessionId: string; readonly open: boolean };

export interface AgentOptions {
  /** Unique per place where sessions run; replicas of a highly available agent share it. */
  agentId: string;
  /** Base URL of the control plane: ws, wss, http or https, a path is kept. */
  controlPlaneUrl: string;
  /** Sent as `X-Agent-API-Key`. */
  apiKey: string;
  platform: Platform;
  region?: string;
  /** 0 means unlimited. @default {maxSessions: 0} */
  capacity?: Capacity;
  /** @default alwaysLeader() */
  election?: LeaderElection;
  /** First and longest pause before connecting again, in ms; each pause is random up to its bound. @default {first: 250, longest: 15_000} */
  reconnect?: { first: number; longest: number };
  /** How long commands that are being carried out may take once the agent is to stop, in ms. @default 10_000 */
  stopTimeoutMs?: number;
  onEvent?: (event: AgentEvent) => void;
  onError?: (error: unknown, where: string) => void;
}

/** idle → registering → connecting → connected → (connecting …) → stopping → stopped */
export type AgentStatus =
  'idle' | 'campaigning' | 'registering' | 'connecting' | 'connected' | 'stopping' | 'stopped';

export interface Agent {
  readonly status: AgentStatus;
  /**
   * Runs until the signal aborts, then stops gracefully and resolves. Failures of the network are retried for ever;
   * rejects only when trying again cannot help (`unauthorized`, `refused`).
   */
  run(signal: AbortSignal): Promise<void>;
}
