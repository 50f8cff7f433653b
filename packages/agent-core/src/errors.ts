/** Why a platform could not do what it was asked to. A platform may add codes of its own. */
export type PlatformErrorCode =
  | 'session_not_found'
  | 'stale_generation'
  | 'template_unsupported'
  | 'image_missing'
  | 'capacity_exhausted'
  | 'connect_failed'
  | 'not_supported'
  | 'timeout'
  | 'platform_unavailable'
  | 'internal';

/** Thrown by platforms. Recognise it by `code`, not by `instanceof`: two copies of a package may be installed. */
export class PlatformError extends Error {
  override readonly name = 'PlatformError';

  constructor(
    readonly code: PlatformErrorCode | (string & {}),
    message: string,
    /** Whether the same call may succeed later without anyone changing anything. */
    readonly shouldRetry = false,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}
