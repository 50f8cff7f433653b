import { RESET_CODE, type ResetReason } from '@streamspace/protocol';

/**
 * Stable codes of everything that this package throws: those of RESET, as the far end or this one sent it, and
 *
 * - `link_lost`: the message connection is gone, and every stream on it;
 * - `connection_lost`: a TCP, Unix-socket or WebSocket connection behind a channel failed;
 * - `timeout`: the far end did not answer an OPEN in time;
 * - `closed`: this channel or tunnel was ended here before the call.
 */
export type TunnelErrorCode = ResetReason | 'link_lost' | 'connection_lost' | 'timeout' | 'closed';

const WORTH_RETRYING: ReadonlySet<TunnelErrorCode> = new Set<TunnelErrorCode>([
  'link_lost',
  'connection_lost',
  'timeout',
  'connect_failed',
  'limit_reached',
  'agent_lost',
  'resume_timeout',
  'going_away',
]);

/** Recognise it by `code`, not by `instanceof`: two copies of a package may be installed. */
export class TunnelError extends Error {
  override readonly name = 'TunnelError';

  constructor(
    readonly code: TunnelErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }

  /** Whether the same call may succeed later without anyone changing anything. */
  get shouldRetry(): boolean {
    return WORTH_RETRYING.has(this.code);
  }
}

/** What to tell the far end of a stream that ends because of `reason`: its own code where RESET has it. */
export function resetCodeOf(reason: unknown, otherwise: ResetReason): ResetReason {
  const code = typeof reason === 'object' && reason !== null && 'code' in reason ? reason.code : undefined;
  return typeof code === 'string' && Object.hasOwn(RESET_CODE, code) ? (code as ResetReason) : otherwise;
}

/** Anything thrown, as an Error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown });
}

/** The reason where somebody ended a tunnel without giving one. */
export const closedError = (): TunnelError => new TunnelError('closed', 'the tunnel was closed here');

/** The caller's reporter, as one that may be called from anywhere: it never throws. */
export function reporter(
  onError: ((error: unknown, where: string) => void) | undefined,
): (error: unknown, where: string) => void {
  return (error, where) => {
    try {
      onError?.(error, where);
    } catch {
      // A reporter that throws has nobody left to report to.
    }
  };
}
