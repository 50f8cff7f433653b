/**
 * Where a viewer stands. Sentences are for people; `code` is for programs.
 *
 * `connecting` → `connected` → `reconnecting` → `connected` …, and from each of them to `disconnected`, which only
 * `reconnect()` leaves (never after `close()`).
 */
export type ViewerStatus =
  /** On the way to the first picture, whatever number of attempts that takes. */
  | { readonly state: 'connecting' }
  /** The desktop is shown and takes input. */
  | { readonly state: 'connected' }
  /** There was a picture, and the connection is being made again. */
  | {
      readonly state: 'reconnecting';
      /** 1 for the first attempt after the loss. */
      readonly attempt: number;
      /** How long it waits before that attempt, in milliseconds. */
      readonly delayMs: number;
      /** Why the connection was lost, or why the last attempt failed. */
      readonly reason: string;
    }
  /** Over: what happened rules out another attempt, or too many of them failed. */
  | {
      readonly state: 'disconnected';
      /** A stable word, such as `not_found` or `closed`. */
      readonly code: string;
      readonly reason: string;
    };

/** Why a connection, or an attempt at one, is over. */
export interface Ending {
  readonly code: string;
  readonly reason: string;
  /** Another attempt may help. */
  readonly shouldRetry: boolean;
}

/** The ending that `close()` brings. */
export const CLOSED: Ending = { code: 'closed', reason: 'The viewer was closed.', shouldRetry: false };

/**
 * What a failed attempt says of itself. Errors of the client package carry `code` and `shouldRetry`; anything else may
 * be a passing trouble, and is tried again.
 */
export function endingOf(error: unknown): Ending {
  if (isEnding(error)) return error;
  const { code, shouldRetry, message } = (typeof error === 'object' && error !== null ? error : {}) as {
    code?: unknown;
    shouldRetry?: unknown;
    message?: unknown;
  };
  return {
    code: typeof code === 'string' ? code : 'connect_failed',
    reason: typeof message === 'string' && message !== '' ? message : 'The connection could not be made.',
    shouldRetry: shouldRetry !== false,
  };
}

function isEnding(value: unknown): value is Ending {
  return (
    typeof value === 'object' &&
    value !== null &&
    'reason' in value &&
    'shouldRetry' in value &&
    'code' in value
  );
}
