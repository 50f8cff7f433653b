import { ViewerError } from './errors.js';

/** The longest text that may be put on the desktop's clipboard, in bytes of UTF-8. */
export const MAX_PASTE_BYTES = 1024 * 1024;

/** Throws `text_too_long` where a text is above {@link MAX_PASTE_BYTES}. */
export function checkPaste(text: string): void {
  // A unit of a string is a byte at least: what is far too long need not be encoded.
  if (text.length <= MAX_PASTE_BYTES && new TextEncoder().encode(text).length <= MAX_PASTE_BYTES) return;
  throw new ViewerError(
    'text_too_long',
    `The text is too long for the desktop's clipboard: at most ${MAX_PASTE_BYTES} bytes of UTF-8 are allowed.`,
  );
}
