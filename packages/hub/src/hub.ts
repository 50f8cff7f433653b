import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { InventoryEntry, ObservedState, StreamPolicy } from '@streamspace/protocol';
import type { ByteChannel, CreditBudget } from '@streamspace/vnc-tunnel';
import type { HubCounters } from './counters.js';
import type { AgentOwnership, CommandQueue, HubBackend } from './ports.js';

/** What the hub tells its owner. Events of one agent come in order, the next when the handler has settled. */
export type HubEvent =
  | { readonly type: 'agent_online'; readonly agentId: string; readonly epoch: number }
  | {
      readonly type: 'agent_offline';
      readonly agentId: string;
      readonly epoch: number;
      readonly reason: string;
    }
  | {
      readonly type: 'inventory';
      readonly agentId: string;
      readonly epoch: number;
      readonly sessions: readonly InventoryEntry[];
      /** Sessions that a command was sent for after the inventory was taken: it says nothing about them. */
      readonly changedSince: ReadonlySet<string>;
      /** Whether the connection that it came on is still the agent's, as far as this replica knows. Ask before each step. */
      readonly isCurrent: () => boolean;
    }
  | {
      readonly type: 'session_status';
      readonly agentId: string;
      readonly epoch: number;
      readonly sessionId: string;
      readonly generation: number;
      readonly state: ObservedState;
      readonly reason?: string;
    }
  | {
      readonly type: 'session_event';
      readonly agentId: string;
      readonly epoch: number;
      readonly sessionId: string;
      readonly generation: number;
      /** For example `idle`, `usage` or `exited`. */
      readonly kind: string;
      readonly message: string;
      readonly data?: Readonly<Record<string, unknown>>;
    };

export interface AgentHubOptions {
  /** Name of this replica. */
  podName: string;
  ownership: AgentOwnership;
  commands: CommandQueue;
  /** @default memoryBackend() */
  backend?: HubBackend;
  /** How often agents are to report, in ms. @default 10_000 */
  heartbeatIntervalMs?: number;
  /** An agent that sent nothing for this long is disconnected, in ms. @default 30_000 */
  heartbeatTimeoutMs?: number;
  /** How often agents are to list what they hold, in ms. @default 60_000 */
  inventoryIntervalMs?: number;
  /** A command without acknowledgement for this long closes the link; the next one gets it again. @default 10_000 */
  ackTimeoutMs?: number;
  /** How often the queue is asked for what a lost hint left behind, in ms. @default 1_000 */
  sweepIntervalMs?: number;
  /** Most commands of one agent in flight. The rest waits in the queue. @default 32 */
  commandWindow?: number;
  /** Most streams of one agent at once. Past it `openStream` rejects with `limit_reached`. @default 4_096 */
  streamsPerAgent?: number;
  /**
   * What viewers of all agents together may have under way through this hub; several hubs of a process may share one.
   * @default creditBudget(), which is 256 MiB
   */
  creditBudget?: CreditBudget;
  /** How long the agent may take to accept a stream, in ms. @default 10_000 */
  openTimeoutMs?: number;
  onEvent?: (event: HubEvent) => void | Promise<void>;
  /** What went wrong where no caller can be told; `where` names the step. */
  onError?: (error: unknown, where: string) => void;
}

export interface OpenStreamRequest {
  readonly agentId: string;
  readonly sessionId: string;
  /** @default 'vnc' */
  readonly port?: string;
  readonly policy: StreamPolicy;
  readonly signal?: AbortSignal;
}

/** One replica's side of all agent connections: owns them, sends them commands, opens streams to their sessions. */
export interface AgentHub extends AsyncDisposable {
  /**
   * Takes over an upgrade request to the agent endpoint. The caller has authenticated it as `agentId`;
   * requests without the subprotocol `streamspace.v2` are answered with 400.
   */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Uint8Array, agentId: string): void;
  /** Commands may be waiting for this agent. A hint: forgetting it costs one sweep interval. */
  wake(agentId: string): void;
  /**
   * Connects to a port of a session through its agent.
   *
   * @throws HubError `agent_not_connected`, `session_not_found`, `connect_failed`, `limit_reached`, `timeout`
   */
  openStream(request: OpenStreamRequest): Promise<ByteChannel>;
  /** Agents whose connection this replica holds. */
  agents(): readonly { agentId: string; epoch: number; connectedAt: number; streams: number }[];
  /** What was counted since the hub was made. */
  counters(): HubCounters;
  /**
   * Closes an agent's connections, also those that have not said hello, for example when its key was revoked. It may
   * connect again.
   */
  disconnect(agentId: string, reason: string): void;
}
