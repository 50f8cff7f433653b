import { PlatformError } from './errors.js';

const DNS_LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * Refuses what may not become a part of a path, a host's name or a label.
 *
 * @throws PlatformError `invalid_session_id`
 */
export function checkSessionId(sessionId: string): void {
  if (DNS_LABEL.test(sessionId)) return;
  throw new PlatformError(
    'invalid_session_id',
    `session id ${JSON.stringify(sessionId.slice(0, 80))} is not allowed; it must be a DNS label: 1 to 63 of a-z, 0-9 and -, not starting or ending with -`,
  );
}

/**
 * Refuses a change by a command that is older than what the platform holds.
 *
 * @param held the session as the platform has it; where it has none, every generation may come
 * @throws PlatformError `stale_generation`
 */
export function checkGeneration(
  held: { readonly sessionId: string; readonly generation: number } | undefined,
  change: { readonly generation: number },
): void {
  if (!held || change.generation >= held.generation) return;
  throw new PlatformError(
    'stale_generation',
    `session ${held.sessionId} is at generation ${held.generation}; ${change.generation} is older and changes nothing`,
  );
}
