import type { RawData, WebSocket } from 'ws';

/** A message of any of ws's binary types as one view of its bytes. */
export function asBytes(data: RawData): Uint8Array {
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  return Array.isArray(data) ? Buffer.concat(data) : data;
}

/** @throws TypeError where the handshake is still under way: `send` would throw then */
export function requireOpened(ws: WebSocket): void {
  if (ws.readyState === ws.CONNECTING)
    throw new TypeError('the WebSocket must be open, this one is connecting: wait for its open event');
}
