import type { Action, ObservedState } from '@streamspace/protocol';

/**
 * What an agent has done since it was made, and what it holds now. The upper part only grows, so that rates are the
 * caller's to take.
 */
export interface AgentMetrics {
  /** Commands that arrived, each time that they did. */
  commandsReceived: number;
  /** Commands that arrived and were known: not carried out again. */
  commandsRepeated: number;
  /** Commands that an earlier agent had carried out, as the platform showed. */
  commandsAdopted: number;
  commandsCompleted: Record<Action, number>;
  /** By error code. At most 64 codes are told apart; the rest is under `other`. */
  commandsFailed: Record<string, number>;
  /** Connections that the control plane welcomed, and those that ended. */
  connections: number;
  disconnections: number;
  heartbeats: number;
  /** The longest that a heartbeat was sent after its time, in ms: how long this process was busy or suspended. */
  heartbeatLateMs: number;
  inventories: number;
  /** Lists of the platform that failed. */
  inventoryFailures: number;
  /** Reports of sessions that were dropped, since there was no connection for long. */
  reportsDropped: number;
  /** Messages of the control plane that could not be read. */
  unreadableMessages: number;
  streamsOpened: number;
  /** By error code, as `commandsFailed`. */
  streamsFailed: Record<string, number>;
  /** Messages of viewers that their policy held back. */
  viewerMessagesDropped: number;
  /** Bytes of streams, of all connections. */
  bytesToViewers: number;
  bytesFromViewers: number;

  // ---- now

  commandsActing: number;
  commandsWaiting: number;
  /** Calls of the platform that went on 5 s after they were given up, and still do. Their commands have failed. */
  commandsStuck: number;
  /** Results that the control plane does not have yet. */
  resultsUnreported: number;
  /** Streams that are open. */
  streams: number;
  /** Sessions by state, as last seen. */
  sessions: Record<ObservedState, number>;
}

/** The growing part of {@link AgentMetrics}. */
export type AgentCounters = Omit<
  AgentMetrics,
  'commandsActing' | 'commandsWaiting' | 'commandsStuck' | 'resultsUnreported' | 'streams' | 'sessions'
>;

/** Error codes that are told apart, since platforms have codes of their own. */
const CODES = 64;

export const newCounters = (): AgentCounters => ({
  commandsReceived: 0,
  commandsRepeated: 0,
  commandsAdopted: 0,
  commandsCompleted: { start_session: 0, stop_session: 0, hibernate_session: 0, wake_session: 0 },
  commandsFailed: {},
  connections: 0,
  disconnections: 0,
  heartbeats: 0,
  heartbeatLateMs: 0,
  inventories: 0,
  inventoryFailures: 0,
  reportsDropped: 0,
  unreadableMessages: 0,
  streamsOpened: 0,
  streamsFailed: {},
  viewerMessagesDropped: 0,
  bytesToViewers: 0,
  bytesFromViewers: 0,
});

export function countCode(counts: Record<string, number>, code: string): void {
  const name = Object.hasOwn(counts, code) || Object.keys(counts).length < CODES ? code : 'other';
  counts[name] = (counts[name] ?? 0) + 1;
}
