/** A source is paused at this many bytes unread, and goes on at half of them. */
export const UNREAD_BYTES = 128 * 1024;
