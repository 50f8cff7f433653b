import { cutText, isIdentifier, LIMITS } from '@streamspace/protocol';

/** Why a platform could not do what it was asked to. A platform may add codes of its own. */
export type PlatformErrorCode =
  | 'session_not_found'
  | 'stale_generation'
  | 'invalid_session_id'
  | 'template_unsupported'
  | 'image_missing'
  | 'capacity_exhausted'
  | 'connect_failed'
  | 'not_supported'
  | 'timeout'
  | 'cancelled'
  | 'invalid_command'
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

export type AgentErrorCode = 'unauthorized' | 'refused' | 'unreachable' | 'link_lost' | 'insecure_url';

/** Thrown by the agent runtime. Recognise it by `code`, not by `instanceof`. */
export class AgentError extends Error {
  override readonly name = 'AgentError';
  /** How long the control plane asked to wait before the next attempt, in ms. */
  readonly retryAfterMs: number | undefined;

  constructor(
    readonly code: AgentErrorCode,
    message: string,
    readonly shouldRetry: boolean,
    options?: { cause?: unknown; retryAfterMs?: number | undefined },
  ) {
    super(message, options);
    this.retryAfterMs = options?.retryAfterMs;
  }
}

/** The stable code of whatever was thrown; `internal` where it has none. */
export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && isIdentifier(code) ? code : 'internal';
}

/** What went wrong in a platform, for the wire: a sentence and a stable code. */
export function describeFailure(error: unknown): { error: string; code: string } {
  return {
    error: cutText(error instanceof Error ? error.message : String(error), LIMITS.textChars),
    code: codeOf(error),
  };
}
