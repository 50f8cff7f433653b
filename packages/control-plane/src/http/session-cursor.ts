import { createHash } from 'node:crypto';
import { Refusal } from '../domain/errors.js';
import type { SessionPosition } from '../domain/ports.js';
import { sameBytes } from '../auth/secrets.js';

/**
 * A place in the list of sessions, as `?cursor=` carries it: a digest and the place, in base64url. The digest has no
 * key: it detects cursors that were changed or cut, and a cursor that somebody makes up grants no access.
 */
export function encodeCursor({ isLiving, createdAtUs, id }: SessionPosition): string {
  const place = Buffer.from(JSON.stringify([isLiving, createdAtUs, id]));
  return Buffer.concat([digestOf(place), place]).toString('base64url');
}

/** @throws Refusal `invalid_field` where {@link encodeCursor} did not make it */
export function decodeCursor(cursor: string): SessionPosition {
  const bytes = Buffer.from(cursor, 'base64url');
  const place = bytes.subarray(DIGEST_BYTES);
  const isWhole =
    bytes.toString('base64url') === cursor && sameBytes(bytes.subarray(0, DIGEST_BYTES), digestOf(place));
  const position = isWhole ? readPlace(place.toString()) : undefined;
  if (position) return position;
  throw new Refusal('invalid_field', 'cursor must be the one from the Link header of the page before.', {
    remedy: 'Leave cursor out to get the first page.',
  });
}

const DIGEST_BYTES = 8;

/** Of the format too: a cursor of another format is refused. */
const digestOf = (place: Uint8Array): Uint8Array =>
  createHash('sha256').update('sessions 1 ').update(place).digest().subarray(0, DIGEST_BYTES);

function readPlace(text: string): SessionPosition | undefined {
  let place: unknown;
  try {
    place = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(place) || place.length !== 3) return undefined;
  const [isLiving, createdAtUs, id] = place as unknown[];
  if (typeof isLiving !== 'boolean' || typeof id !== 'string') return undefined;
  return Number.isSafeInteger(createdAtUs) ? { isLiving, createdAtUs: createdAtUs as number, id } : undefined;
}
