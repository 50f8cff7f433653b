import { LIMITS } from './limits.js';

/** WebSocket close codes (RFC 6455 section 7.4.2, private range) that both ends of this protocol use. */
export const CLOSE = {
  /** Normal end. */
  normal: 1000,
  /** The process is going away; connect again, to any replica. */
  goingAway: 1001,
  /** Too many malformed messages, or a frame that cannot be read. */
  protocolError: 4400,
  /** Credentials are missing or wrong. */
  unauthorized: 4401,
  /** The credentials do not allow this. */
  forbidden: 4403,
  /** No such session or agent. */
  notFound: 4404,
  /** No frame arrived in time. */
  timeout: 4408,
  /** A newer connection of the same agent took over. */
  superseded: 4409,
  /** For viewers: the session is hibernated, and connecting again does not wake it. */
  hibernated: 4423,
  /** A limit was reached; the reason names it. */
  limitReached: 4429,
  /** The far end (agent or VNC server) ended or cannot be reached. */
  upstreamUnavailable: 4502,
} as const;

export type CloseCode = (typeof CLOSE)[keyof typeof CLOSE];

/** A text cut to what a close frame can carry, on a character's border: WebSockets refuse to close with a longer one. */
export function closeReason(text: string): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(LIMITS.closeReasonBytes));
  return text.slice(0, read);
}
