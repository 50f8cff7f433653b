import { ending, type ViewerStatusCode } from './endings.js';
import type { Ending } from './status.js';

/**
 * What each WebSocket close code means to somebody who looks at a desktop: those of RFC 6455 section 7.4.1 that occur,
 * and the private ones of a StreamSpace control plane. A test holds the table against the protocol package.
 */
const CODES: ReadonlyMap<number, ViewerStatusCode> = new Map([
  [1000, 'ended'],
  [1001, 'going_away'],
  [1002, 'protocol_error'],
  [1003, 'protocol_error'],
  [1007, 'protocol_error'],
  [1008, 'forbidden'],
  [1009, 'too_large'],
  [1011, 'server_error'],
  [1012, 'going_away'],
  [1013, 'busy'],
  [4400, 'protocol_error'],
  [4401, 'unauthorized'],
  [4403, 'forbidden'],
  [4404, 'not_found'],
  [4408, 'timeout'],
  [4409, 'superseded'],
  [4423, 'hibernated'],
  [4429, 'limit_reached'],
  [4502, 'upstream_unavailable'],
]);

/** The numbers that have an entry of their own. */
export const KNOWN_CLOSE_CODES: readonly number[] = [...CODES.keys()];

/**
 * The ending that a close event tells of. The server's own sentence wins over the table's. An unknown private code is
 * taken as final (the server meant something by it), any other unknown code as a lost connection.
 *
 * @param opened whether the connection had been made: one that never was is not lost
 */
export function endingOfClose(
  event: { readonly code: number; readonly reason: string },
  opened = true,
): Ending {
  const unknown = event.code >= 4000 ? 'refused' : opened ? 'connection_lost' : 'connect_failed';
  return ending(CODES.get(event.code) ?? unknown, event.reason);
}
