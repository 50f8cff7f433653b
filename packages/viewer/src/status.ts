import { ending, type ViewerStatusCode } from './endings.js';

/**
 * Where a viewer stands. Sentences are for people; `code` is for programs.
 *
 * `connecting` → `connected` → `reconnecting` → `connected` …, and from each of them to `disconnected`. That is left by
 * `reconnect()`, and, where `shouldRetry` says so, by itself once the network is back or the tab is looked at again;
 * never after `close()`.
 */
export type ViewerStatus =
  /** On the way to the first picture, whatever number of attempts that takes. */
  | {
      readonly state: 'connecting';
      /** Why the last attempt failed; not there during the first. */
      readonly reason?: string;
    }
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
      /** A stable word, such as `not_found` or `closed`; or that of the error which the `url` option threw. */
      readonly code: ViewerStatusCode | (string & Record<never, never>);
      readonly reason: string;
      /** Too many attempts failed, and another may help later; otherwise it is final. */
      readonly shouldRetry: boolean;
    };

/** Why a connection, or an attempt at one, is over. */
export interface Ending {
  readonly code: string;
  readonly reason: string;
  /** Another attempt may help. */
  readonly shouldRetry: boolean;
}

/** The ending that `close()` brings. */
export const CLOSED: Ending = ending('closed');

/**
 * What a failed attempt says of itself. Errors of the client package carry `code`, `shouldRetry` and `remedy`; anything
 * else may be a passing trouble, and is tried again.
 */
export function endingOf(error: unknown): Ending {
  if (isEnding(error)) return error;
  const fields = (typeof error === 'object' && error !== null ? error : {}) as Record<string, unknown>;
  const { code, shouldRetry, message, remedy } = fields;
  const said = [message, remedy].filter((text) => typeof text === 'string' && text !== '').join(' ');
  const unknown = ending('connect_failed', said);
  return {
    ...unknown,
    code: typeof code === 'string' ? code : unknown.code,
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
