import type { Typeface } from './typeface.js';

/** One line as it is seen: `text.slice(start, end)`. A line break or the space it was wrapped at is not in it. */
export interface Line {
  readonly start: number;
  readonly end: number;
}

/** Breaks a text at line breaks, and where a line is wider than `width` pixels: after a space, else anywhere. */
export function wrap(text: string, face: Typeface, width: number): Line[] {
  const lines: Line[] = [];
  let start = 0;
  let used = 0;
  let lastSpace = -1;
  for (let at = 0; at < text.length;) {
    const character = String.fromCodePoint(text.codePointAt(at) ?? 0);
    if (character === '\n') {
      lines.push({ start, end: at });
      at += 1;
      start = at;
      used = 0;
      lastSpace = -1;
      continue;
    }
    const advance = face.advance(character);
    if (used + advance > width && at > start && character !== ' ') {
      const end = lastSpace > start ? lastSpace : at;
      lines.push({ start, end });
      start = lastSpace > start ? lastSpace + 1 : at;
      at = start;
      used = 0;
      lastSpace = -1;
      continue;
    }
    if (character === ' ') lastSpace = at;
    used += advance;
    at += character.length;
  }
  lines.push({ start, end: text.length });
  return lines;
}
