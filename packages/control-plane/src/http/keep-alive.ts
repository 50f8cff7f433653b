import type { WebSocket } from 'ws';

export interface KeepAliveOptions {
  /** How often a viewer is asked whether it is still there, in ms. */
  pingIntervalMs: number;
  /** How long a viewer may be held back by a desktop that takes nothing, in ms; looked at with every question. */
  stalledMs: number;
}

/** What {@link keepAlive} finds and asks. */
export interface Watched {
  /** Grows with each byte that passes, either way. */
  passed(): number;
  /** Two questions in a row had no answer. */
  onDead(): void;
  /** It was held back for `stalledMs` and no byte passed. Whether it is still there cannot be known. */
  onStalled(): void;
}

/** Questions without an answer after which a viewer counts as dead. */
const UNANSWERED = 2;

/** Finds viewers whose machine or network is gone without a word. Returns how to stop. */
export function keepAlive(ws: WebSocket, options: KeepAliveOptions, watched: Watched): () => void {
  let unanswered = 0;
  let passed = watched.passed();
  let stalledSince: number | undefined;
  const alive = (): void => void (unanswered = 0);
  ws.on('pong', alive);
  const held = (): void => {
    const now = performance.now();
    const seen = watched.passed();
    if (stalledSince === undefined || seen !== passed) stalledSince = now;
    passed = seen;
    // A paused socket is not read, so that its answers cannot be heard until it is read again.
    unanswered = 0;
    if (now - stalledSince >= options.stalledMs) watched.onStalled();
  };
  const timer = setInterval(() => {
    if (ws.isPaused) return held();
    stalledSince = undefined;
    if (unanswered === UNANSWERED) return watched.onDead();
    unanswered += 1;
    if (ws.readyState === ws.OPEN) ws.ping();
  }, options.pingIntervalMs);
  timer.unref();
  return () => {
    clearInterval(timer);
    ws.off('pong', alive);
  };
}
