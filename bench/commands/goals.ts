import type { Heartbeats, Redelivery } from './large-tables.js';
import type { HttpRate } from './http.js';
import type { Comparison, Idle } from './rates.js';

export interface Results {
  readonly postgres: string;
  readonly quick: boolean;
  readonly rates: readonly Comparison[];
  readonly idle: Idle;
  readonly http: readonly HttpRate[];
  readonly redelivery: Redelivery;
  readonly heartbeats: Heartbeats;
}

export interface Goal {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly goal: number;
  readonly met: boolean;
}

const atLeast = (what: string, value: number, goal: number, unit: string): Goal => ({
  what,
  value,
  unit,
  goal,
  met: value >= goal,
});
const atMost = (what: string, value: number, goal: number, unit: string): Goal => ({
  what,
  value,
  unit,
  goal,
  met: value <= goal,
});

/** Times the control's rate that the queue has to reach, by producers. */
const RATIOS: Readonly<Record<number, number>> = { 32: 3, 256: 5 };

/** What the results have to reach. */
export function goalsOf({ rates, idle, redelivery, heartbeats }: Results): Goal[] {
  return [
    ...rates.map(({ producers, ratio }) =>
      atLeast(`rate with ${producers} producers`, ratio, RATIOS[producers] ?? 1, 'x row at a time'),
    ),
    atMost('idle p50', idle.p50Ms, 4, 'ms'),
    atMost('idle p99', idle.p99Ms, 12, 'ms'),
    atMost('redelivery query p50', redelivery.queryP50Ms, 5, 'ms'),
    atMost('redelivery claim p50', redelivery.claimP50Ms, 5, 'ms'),
    atLeast('heartbeats', heartbeats.ratio, 20, 'x cheaper than row at a time'),
    atMost('heartbeats of a cycle', heartbeats.cycleMs, 100, 'ms of database time'),
  ];
}
