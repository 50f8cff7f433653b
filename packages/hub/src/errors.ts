export type HubErrorCode =
  | 'agent_not_connected'
  | 'session_not_found'
  | 'connect_failed'
  | 'refused'
  | 'limit_reached'
  | 'timeout'
  | 'stale_epoch'
  | 'closed';

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

const FROM_TUNNEL: Record<string, { code: HubErrorCode; shouldRetry: boolean }> = {
  session_not_found: { code: 'session_not_found', shouldRetry: false },
  connect_failed: { code: 'connect_failed', shouldRetry: true },
  refused: { code: 'refused', shouldRetry: false },
  limit_reached: { code: 'limit_reached', shouldRetry: true },
  timeout: { code: 'timeout', shouldRetry: true },
  closed: { code: 'agent_not_connected', shouldRetry: true },
  going_away: { code: 'agent_not_connected', shouldRetry: true },
  link_lost: { code: 'agent_not_connected', shouldRetry: true },
};

/** A failure to open a stream, in the hub's words. */
export function toHubError(cause: unknown, agentId: string): HubError {
  const code = (cause as { code?: unknown } | null)?.code;
  const known = typeof code === 'string' ? FROM_TUNNEL[code] : undefined;
  const detail = cause instanceof Error ? cause.message : `agent ${agentId} is not connected`;
  return new HubError(known?.code ?? 'connect_failed', detail, known?.shouldRetry ?? true, { cause });
}
