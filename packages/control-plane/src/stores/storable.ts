/**
 * PostgreSQL stores neither NUL nor half of a surrogate pair, and both come up in what programs print. They become
 * U+FFFD, so that an odd message never keeps an outcome from being written.
 */
const UNSTORABLE = /\0|\p{Surrogate}/gu;

export const storableText = (text: string): string => text.replace(UNSTORABLE, '\uFFFD');

/** A value as JSON text for a `jsonb` parameter; names of fields are cleaned as texts are. */
export const toJsonText = (value: unknown): string =>
  JSON.stringify(value, (_key, part: unknown) => storable(part));

function storable(part: unknown): unknown {
  if (typeof part === 'string') return storableText(part);
  if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
  const names = Object.keys(part);
  if (names.every((name) => name.search(UNSTORABLE) < 0)) return part;
  return Object.fromEntries(Object.entries(part).map(([name, inner]) => [storableText(name), inner]));
}
