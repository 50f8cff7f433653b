import type { RequestHandler } from 'express';
import { Refusal } from '../domain/errors.js';
import type { StorageRoom } from '../domain/storage-room.js';

/** Seconds after which a client may ask again while there is no room. */
const RETRY_SECONDS = 10;

const READING: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * What is carried out without room, by method and path below `/api/v1`. People need it to make room: they log in and out,
 * stop or hibernate sessions, and open a desktop to delete files in it. An agent registers to be sent those stops. Each
 * writes a row at most, for which the floor of free space leaves room.
 */
const MAKES_ROOM: readonly RegExp[] = [
  /^POST \/auth\/(login|refresh|logout)\/?$/i,
  /^POST \/sessions\/[^/]+\/(stop|hibernate|tickets)\/?$/i,
  /^DELETE \/sessions\/[^/]+\/?$/i,
  /^POST \/agents\/register\/?$/i,
];

/** Rejects with `storage_full` while there is no room. */
export function requireRoom(room: Pick<StorageRoom, 'shortage'>): () => Promise<void> {
  return async () => {
    const shortage = await room.shortage();
    if (shortage)
      throw new Refusal('storage_full', shortage.detail, {
        remedy: shortage.remedy,
        retryAfterSeconds: RETRY_SECONDS,
      });
  };
}

/** Refuses requests that store something while there is no room. Mounted at `/api/v1`. */
export function storageGate(room: () => Promise<void>): RequestHandler {
  return async (request, _response, next) => {
    const call = `${request.method} ${request.path}`;
    if (!READING.has(request.method) && !MAKES_ROOM.some((allowed) => allowed.test(call))) await room();
    next();
  };
}
