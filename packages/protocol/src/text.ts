import { LIMITS } from './limits.js';

/** Half of a surrogate pair without its other half: no character, and nothing that UTF-8 can carry. */
const LONE_SURROGATE = /\p{Surrogate}/u;
const LONE_SURROGATES = /\p{Surrogate}/gu;

/** The start of a text, of at most `maxChars` UTF-16 code units; a character that does not fit whole is left out. */
export function cutText(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  const last = text.codePointAt(maxChars - 1) ?? 0;
  return text.slice(0, last > 0xffff ? maxChars - 1 : maxChars);
}

/** Whether a text can be a name everywhere: databases do not store NUL, and UTF-8 has no lone surrogates. */
export const isPortable = (text: string): boolean => !text.includes('\0') && !LONE_SURROGATE.test(text);

/** Whether a text may be an identifier in a message or frame. */
export const isIdentifier = (text: string): boolean =>
  text.length > 0 && text.length <= LIMITS.idChars && isPortable(text);

/** `value` as JSON text that any language reads: U+FFFD stands for each lone surrogate, in names of fields too. */
export function toPortableJson(value: unknown): string {
  const text = JSON.stringify(value);
  // What is no character is written as an escape; a backslash before the "u" may make it something else.
  return text.includes('\\ud') ? JSON.stringify(value, (_name, part: unknown) => wellFormed(part)) : text;
}

function wellFormed(part: unknown): unknown {
  if (typeof part === 'string') return part.replace(LONE_SURROGATES, '\uFFFD');
  if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
  if (Object.keys(part).every((name) => !LONE_SURROGATE.test(name))) return part;
  return Object.fromEntries(
    Object.entries(part).map(([name, inner]) => [name.replace(LONE_SURROGATES, '\uFFFD'), inner]),
  );
}
