import type { Ending } from './status.js';

/**
 * Why a connection, or an attempt at one, is over: every code that this package gives, with what is said where nobody
 * else has said it better. docs/errors.md lists them; a test holds the page against this table.
 */
const ENDINGS = {
  ended: { shouldRetry: false, reason: 'The desktop has ended.' },
  hibernated: { shouldRetry: false, reason: 'The desktop is hibernated. Wake it to go on.' },
  not_found: { shouldRetry: false, reason: 'There is no such desktop, or it has ended.' },
  timeout: { shouldRetry: false, reason: 'Nothing happened for a long time. Connect again to go on.' },
  superseded: { shouldRetry: false, reason: 'A newer connection took over.' },
  unauthorized: {
    shouldRetry: false,
    reason: 'The ticket for this desktop was used, or is too old. Try again to get another.',
  },
  forbidden: { shouldRetry: false, reason: 'The server does not allow this connection.' },
  refused: { shouldRetry: false, reason: 'The server refused the connection.' },
  protocol_error: {
    shouldRetry: false,
    reason:
      'The server and this viewer do not understand each other. Load the page again to get the newest viewer.',
  },
  too_large: {
    shouldRetry: false,
    reason: 'A message was larger than the server takes. Paste a shorter text.',
  },
  security_failure: { shouldRetry: false, reason: 'The desktop refused the login.' },
  credentials_required: {
    shouldRetry: false,
    reason: 'The desktop asks for a password that this viewer lacks.',
  },
  closed: { shouldRetry: false, reason: 'The viewer was closed.' },
  going_away: { shouldRetry: true, reason: 'The server is restarting.' },
  server_error: { shouldRetry: true, reason: 'The server had an error.' },
  busy: { shouldRetry: true, reason: 'The server is busy.' },
  limit_reached: {
    shouldRetry: true,
    reason: 'There are as many viewers as there may be. Close one and try again.',
  },
  upstream_unavailable: {
    shouldRetry: true,
    reason: 'The desktop cannot be reached. Check that its agent runs.',
  },
  connection_lost: { shouldRetry: true, reason: 'The connection was lost.' },
  connect_failed: {
    shouldRetry: true,
    reason: 'The connection could not be made. Check your network and try again.',
  },
  connect_timeout: { shouldRetry: true, reason: 'There was no picture in time.' },
  unreadable: { shouldRetry: true, reason: 'The desktop sent something that this viewer cannot read.' },
} as const satisfies Readonly<Record<string, Omit<Ending, 'code'>>>;

/**
 * Codes of a `disconnected` status that this package gives. An error that the `url` option throws brings its own, so
 * there can be others.
 */
export type ViewerStatusCode = keyof typeof ENDINGS;

/** The ending of that code; `reason` in place of its own sentence, where there is one. */
export function ending(code: ViewerStatusCode, reason = ''): Ending {
  const known = ENDINGS[code];
  return { code, reason: reason || known.reason, shouldRetry: known.shouldRetry };
}
