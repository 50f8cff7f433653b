import type { Ending } from './status.js';

/**
 * What each WebSocket close code means to somebody who looks at a desktop: those of RFC 6455 section 7.4.1 that occur,
 * and the private ones of a StreamSpace control plane. A test holds the table against the protocol package.
 */
const ENDINGS: ReadonlyMap<number, Ending> = new Map([
  [1000, { code: 'ended', reason: 'The desktop ended the connection.', shouldRetry: false }],
  [1001, { code: 'going_away', reason: 'The server is restarting.', shouldRetry: true }],
  [1008, { code: 'forbidden', reason: 'The server does not allow this connection.', shouldRetry: false }],
  [1009, { code: 'too_large', reason: 'A message was larger than the server takes.', shouldRetry: false }],
  [1011, { code: 'server_error', reason: 'The server had an error.', shouldRetry: true }],
  [1012, { code: 'going_away', reason: 'The server is restarting.', shouldRetry: true }],
  [1013, { code: 'busy', reason: 'The server is busy.', shouldRetry: true }],
  [
    4400,
    { code: 'protocol_error', reason: 'The server could not read what the viewer sent.', shouldRetry: false },
  ],
  [4401, { code: 'unauthorized', reason: 'The ticket for this desktop is not valid.', shouldRetry: false }],
  [4403, { code: 'forbidden', reason: 'You may not see this desktop.', shouldRetry: false }],
  [4404, { code: 'not_found', reason: 'There is no such session, or it has ended.', shouldRetry: false }],
  [
    4408,
    {
      code: 'timeout',
      reason: 'The connection was closed after a long time without use.',
      shouldRetry: false,
    },
  ],
  [4409, { code: 'superseded', reason: 'A newer connection took over.', shouldRetry: false }],
  [4429, { code: 'limit_reached', reason: 'The server has reached a limit.', shouldRetry: true }],
  [4502, { code: 'upstream_unavailable', reason: 'The desktop cannot be reached.', shouldRetry: true }],
]);

const LOST: Ending = { code: 'connection_lost', reason: 'The connection was lost.', shouldRetry: true };
const REFUSED: Ending = { code: 'refused', reason: 'The server refused the connection.', shouldRetry: false };

/** The numbers that have an entry of their own. */
export const KNOWN_CLOSE_CODES: readonly number[] = [...ENDINGS.keys()];

/**
 * The ending that a close event tells of. The server's own sentence wins over the table's. An unknown private code is
 * taken as final (the server meant something by it), any other unknown code as a lost connection.
 */
export function endingOfClose(event: { readonly code: number; readonly reason: string }): Ending {
  const known = ENDINGS.get(event.code) ?? (event.code >= 4000 ? REFUSED : LOST);
  return event.reason === '' ? known : { ...known, reason: event.reason };
}
