export type RfbErrorCode =
  /** The far end speaks no version of RFB that this package does. */
  | 'version_unsupported'
  /** No security type in common. */
  | 'security_unsupported'
  /** The server refused the connection; its reason is the message. */
  | 'security_failed'
  /** A message type that neither side announced. Its length is unknown, so the stream cannot be read on. */
  | 'unknown_message'
  /** A field holds a value that the protocol does not allow. */
  | 'bad_message'
  /** A field is valid and above one of {@link RfbLimits}. */
  | 'limit_exceeded'
  | 'pixel_format_unsupported'
  /** The stream ended inside a message. */
  | 'truncated';

/** The only error that parsers throw. Recognise it by `code`, not by `instanceof`. */
export class RfbError extends Error {
  override readonly name = 'RfbError';
  /** What a peer has sent does not get better by reading it again. */
  readonly shouldRetry = false;

  constructor(
    readonly code: RfbErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}
