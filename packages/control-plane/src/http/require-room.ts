import { Refusal } from '../domain/errors.js';
import type { StorageRoom } from '../domain/storage-room.js';

/** Seconds after which a client may ask again while there is no room. */
const RETRY_SECONDS = 10;

/** A function that rejects with `storage_full` while there is no room. */
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
