import type { RawData, WebSocket } from 'ws';

/** RFC 6455 section 5.5: a control frame has at most 125 bytes, two of them are the close code. */
const MAX_REASON_BYTES = 123;

/** A text cut to what a close frame can carry, on a character's border. */
export function closeReason(text: string): string {
  if (Buffer.byteLength(text) <= MAX_REASON_BYTES) return text;
  const cut = Buffer.from(text).subarray(0, MAX_REASON_BYTES);
  return new TextDecoder().decode(cut, { stream: true });
}

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
