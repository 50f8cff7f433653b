/** Stable codes of everything that this package throws. */
export type ProtocolErrorCode =
  | 'malformed_message'
  | 'unknown_message'
  | 'message_too_large'
  | 'malformed_frame'
  | 'unknown_frame'
  | 'frame_too_large';

/**
 * What a peer sent is not a message or a frame of this protocol.
 *
 * Recognise it by `code`, not by `instanceof`: two copies of a package may be installed.
 */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  /** Sending the same bytes again cannot help. */
  readonly shouldRetry = false;

  constructor(
    readonly code: ProtocolErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}
