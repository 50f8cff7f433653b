import type { WebSocket } from 'ws';

/** How often a viewer is asked whether it is still there; two questions without an answer end it. In ms. */
const PING_INTERVAL_MS = 20_000;

/** Finds viewers whose machine or network is gone without a word. Returns how to stop. */
export function keepAlive(ws: WebSocket, onDead: () => void): () => void {
  let heard = true;
  const alive = (): void => void (heard = true);
  ws.on('pong', alive);
  const timer = setInterval(() => {
    // A paused socket is not read, so its answers cannot be heard.
    if (!heard && !ws.isPaused) return onDead();
    heard = false;
    if (ws.readyState === ws.OPEN) ws.ping();
  }, PING_INTERVAL_MS);
  timer.unref();
  return () => {
    clearInterval(timer);
    ws.off('pong', alive);
  };
}
