import type { AgentMessage } from '@streamspace/protocol';
import type { TunnelStats } from '@streamspace/vnc-tunnel';
import { StreamTotals } from './stream-totals.js';

/** Kinds of frames that are dropped when they come on a connection that was replaced. */
export type StaleFrame = 'ack' | 'result' | 'heartbeat' | 'inventory' | 'status' | 'sessionEvent';

/** What is of no account on a connection that was replaced. */
export const STALE_FRAMES: Partial<Record<AgentMessage['type'], StaleFrame>> = {
  ack: 'ack',
  complete: 'result',
  failed: 'result',
  heartbeat: 'heartbeat',
  inventory: 'inventory',
  status: 'status',
  session_event: 'sessionEvent',
};

/** What a hub has counted since it was made. */
export interface HubCounters {
  /** Frames of connections that a newer one of the same agent had replaced. They changed nothing. */
  readonly staleFrames: Readonly<Record<StaleFrame, number>>;
  /** Commands that were sent once more, on a later connection. */
  readonly redeliveries: number;
  /** Outcomes of commands that had one already. */
  readonly duplicateResults: number;
  /** Commands that failed because their deadline passed. */
  readonly expired: number;
  /** Streams to sessions, over all agents: what grew since then, and what is held now by those that are connected. */
  readonly streams: TunnelStats;
}

/** Counts for one hub. */
export class Counters {
  readonly #staleFrames: Record<StaleFrame, number> = {
    ack: 0,
    result: 0,
    heartbeat: 0,
    inventory: 0,
    status: 0,
    sessionEvent: 0,
  };
  redeliveries = 0;
  duplicateResults = 0;
  expired = 0;
  readonly #streams = new StreamTotals();

  stale(frame: StaleFrame): void {
    this.#staleFrames[frame] += 1;
  }

  /** A link is down; `stats` is what its streams came to. */
  streamsEnded(stats: TunnelStats): void {
    this.#streams.ended(stats);
  }

  /** @param live the streams of links that are there */
  snapshot(live: readonly TunnelStats[]): HubCounters {
    const { redeliveries, duplicateResults, expired } = this;
    const streams = this.#streams.snapshot(live);
    return { staleFrames: { ...this.#staleFrames }, redeliveries, duplicateResults, expired, streams };
  }
}
