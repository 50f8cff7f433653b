import type { TunnelStats } from '@streamspace/vnc-tunnel';

/** What links have of their streams when they are gone: nothing. */
const NONE_NOW = {
  streams: 0,
  linkQueueBytes: 0,
  controlQueueBytes: 0,
  unreadBytes: 0,
  outstandingBytes: 0,
  grantedBytes: 0,
} as const satisfies Partial<TunnelStats>;

const NOTHING: TunnelStats = {
  ...NONE_NOW,
  bytesSent: 0,
  bytesReceived: 0,
  opened: 0,
  openFailures: {},
  accepted: 0,
  acceptFailures: {},
  resetsSent: {},
  resetsReceived: {},
  creditStallMs: 0,
  ignoredFrames: 0,
};

/** The streams of one hub, over all of its agents: those that are connected, and those that were. */
export class StreamTotals {
  #ended = NOTHING;

  /** A link is down. */
  ended(stats: TunnelStats): void {
    this.#ended = sum(this.#ended, { ...stats, ...NONE_NOW });
  }

  /** @param live of the links that are there */
  snapshot(live: readonly TunnelStats[]): TunnelStats {
    return live.reduce(sum, this.#ended);
  }
}

type Counts = Readonly<Record<string, number>>;

function sum(one: TunnelStats, other: TunnelStats): TunnelStats {
  const entries = Object.entries(one).map(([name, value]: [string, number | Counts]) => {
    const more = (other as unknown as Record<string, number | Counts>)[name];
    return [name, typeof value === 'number' ? value + (more as number) : merge(value, more as Counts)];
  });
  return Object.fromEntries(entries) as unknown as TunnelStats;
}

function merge(one: Counts, other: Counts): Counts {
  const counts = { ...one };
  for (const [name, count] of Object.entries(other)) counts[name] = (counts[name] ?? 0) + count;
  return counts;
}
