import { Random } from '../../fuzz/random.js';

/** How bad one simulated run is. Everything follows from the seed. */
export interface Weather {
  /** Longest time of a message on the way, in ms. */
  readonly networkMs: number;
  readonly databaseMs: number;
  readonly platformMs: number;
  /** Share of wake-ups that get lost. */
  readonly lostWakeups: number;
  /** Shares of statements that are refused, and whose answer is lost. */
  readonly refused: number;
  readonly answersLost: number;
  /** Share of commands whose deadline is likely to pass. */
  readonly shortDeadlines: number;
}

export const FAULTS = [
  'cut',
  'agent_deaf',
  'control_plane_deaf',
  'agent_crash',
  'control_plane_crash',
] as const;
export type Fault = (typeof FAULTS)[number];

export interface Schedule {
  readonly seed: number;
  readonly weather: Weather;
  /** What happens when, in ms. */
  readonly faults: readonly { readonly at: number; readonly fault: Fault; readonly downMs: number }[];
  /** The commands of each session: when the client asks for them, in ms. The odd ones start it, the even ones stop it. */
  readonly sessions: readonly { readonly sessionId: string; readonly times: readonly number[] }[];
}

/** Faults and load end here, in ms; what follows is time to heal. */
export const FAULTS_END_MS = 12_000;

/** The schedule that belongs to a seed. */
export function scheduleOf(seed: number): Schedule {
  const random = Random.of(seed, 'schedule', 0);
  const weather: Weather = {
    networkMs: random.pick([5, 50, 400]),
    databaseMs: random.pick([2, 10, 200]),
    platformMs: random.pick([1, 100, 3_000]),
    lostWakeups: random.pick([0, 0.5, 1]),
    refused: random.pick([0, 0, 0.02, 0.1]),
    answersLost: random.pick([0, 0, 0.02, 0.1]),
    shortDeadlines: random.pick([0, 0, 0, 0.2]),
  };
  const faults = Array.from({ length: random.upTo(7) }, () => ({
    at: random.upTo(FAULTS_END_MS),
    fault: random.pick(FAULTS),
    downMs: random.pick([10, 500, 3_000]),
  })).sort((a, b) => a.at - b.at);
  const sessions = Array.from({ length: 1 + random.upTo(5) }, (_, index) => ({
    sessionId: `s-${index}`,
    times: Array.from({ length: 1 + random.upTo(5) }, () => random.upTo(FAULTS_END_MS)).sort((a, b) => a - b),
  }));
  return { seed, weather, faults, sessions };
}
