/**
 * PostgreSQL stores neither NUL nor half of a surrogate pair, and both come up in what programs print. They become
 * U+FFFD, so that an odd message never keeps an outcome from being written.
 */
export const storableText = (text: string): string => text.replace(/\0|\p{Surrogate}/gu, '\uFFFD');

/** A value as JSON text for a `jsonb` parameter. */
export const toJsonText = (value: unknown): string =>
  JSON.stringify(value, (_key, part: unknown) => (typeof part === 'string' ? storableText(part) : part));
