export type HubErrorCode =
  'agent_not_connected' | 'session_not_found' | 'connect_failed' | 'limit_reached' | 'timeout' | 'closed';

/** Thrown by the hub. Recognise it by `code`, not by `instanceof`. */
export class HubError extends Error {
  override readonly name = 'HubError';

  constructor(
    readonly code: HubErrorCode,
    message: string,
    /** Whether the same call may succeed later without anyone changing anything. */
    readonly shouldRetry: boolean,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}
