/** Stable codes of what this package throws; how a connection ended is told by the status instead. */
export type ViewerErrorCode = 'invalid_option' | 'text_too_long';

/**
 * What was asked for cannot be done: a viewer with such options, a text of such a length.
 *
 * Recognise it by `code`, not by `instanceof`: two copies of a package may be installed.
 */
export class ViewerError extends Error {
  override readonly name = 'ViewerError';
  /** The same call cannot succeed later. */
  readonly shouldRetry = false;

  constructor(
    readonly code: ViewerErrorCode,
    message: string,
  ) {
    super(message);
  }
}
