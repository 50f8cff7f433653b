import type { ResetReason } from '@streamspace/protocol';
import type { TunnelErrorCode } from './errors.js';

/**
 * What a tunnel has done since it was made and what it holds now. Bytes are payload bytes unless said otherwise;
 * everything above the line only grows, so that rates are the caller's to take.
 */
export interface TunnelStats {
  /** Bytes of streams that were handed to the link, and that came from it. */
  bytesSent: number;
  bytesReceived: number;
  /** Streams opened from this end, and those that came to nothing by the code that `open` rejected with. */
  opened: number;
  openFailures: Partial<Record<TunnelErrorCode, number>>;
  /** Streams opened by the far end, and those that came to nothing by the code that it was told. */
  accepted: number;
  acceptFailures: Partial<Record<ResetReason, number>>;
  /** RESET frames by code, refused opens included. */
  resetsSent: Partial<Record<ResetReason, number>>;
  resetsReceived: Partial<Record<ResetReason, number>>;
  /** Time in ms that streams had bytes to send and no credit for them, summed over streams, those under way included. */
  creditStallMs: number;
  /** Frames that were dropped: of unknown kind, or for streams that are over or were never there. */
  ignoredFrames: number;

  // ---- now

  /** Streams that hold something, those being opened included. */
  streams: number;
  /** Bytes of frames in the link, not yet taken by the kernel. */
  linkQueueBytes: number;
  /** Bytes of small frames that wait for the link. */
  controlQueueBytes: number;
  /** Received and not yet read, over all streams. */
  unreadBytes: number;
  /** Sent and not reported as consumed, over all streams. */
  outstandingBytes: number;
  /** `limit - consumed` as granted to the far end, over all streams. */
  grantedBytes: number;
}

/** The growing part of {@link TunnelStats}, written to where things happen. */
export class Counters {
  bytesSent = 0;
  bytesReceived = 0;
  opened = 0;
  readonly openFailures: TunnelStats['openFailures'] = {};
  accepted = 0;
  readonly acceptFailures: TunnelStats['acceptFailures'] = {};
  readonly resetsSent: TunnelStats['resetsSent'] = {};
  readonly resetsReceived: TunnelStats['resetsReceived'] = {};
  /** Of stalls that are over. */
  creditStallMs = 0;
  ignoredFrames = 0;
}

export function countOne<K extends string>(counts: Partial<Record<K, number>>, key: K): void {
  (counts as Record<string, number>)[key] = (counts[key] ?? 0) + 1;
}
