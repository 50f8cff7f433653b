/** Heartbeats come up to this much earlier than asked, so that agents that connected together drift apart. */
const SPREAD = 0.1;
/** One that was sent this much after its time, in ms, is worth a word: the process was busy, or suspended. */
const NOTABLY_LATE_MS = 1_000;

export interface HeartbeatOptions {
  /** As the control plane asked; never exceeded by design. */
  intervalMs: number;
  beat: () => void;
  onLate: (lateMs: number) => void;
  /** After each, by how much it was late. */
  onMeasured: (lateMs: number) => void;
  /** @default Math.random */
  random?: () => number;
}

/** The factor by which this connection shortens its intervals: from 0.9 to 1. */
export const spread = (random: () => number = Math.random): number => 1 - SPREAD * random();

/** Calls `beat` in every interval until it is stopped, and says when one came late. Returns how to stop. */
export function startHeartbeat(options: HeartbeatOptions): () => void {
  const { beat, onLate, onMeasured } = options;
  const periodMs = Math.max(1, options.intervalMs * spread(options.random));
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    const lateMs = Math.max(0, now - last - periodMs);
    last = now;
    onMeasured(lateMs);
    if (lateMs > NOTABLY_LATE_MS) onLate(Math.round(lateMs));
    beat();
  }, periodMs);
  return () => clearInterval(timer);
}
