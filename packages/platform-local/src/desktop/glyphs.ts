import { DRAWN } from './glyph-table.js';
import { trace } from './pen.js';

/** What stands above or below a letter, drawn around 0 for a small letter. */
const MARKS: Readonly<Record<string, string>> = {
  '\u0300': 'M-1.4 -.8L.6 1',
  '\u0301': 'M1.4 -.8L-.6 1',
  '\u0302': 'M-1.8 1L0 -.8L1.8 1',
  '\u0303': 'M-2.2 .8Q-1.1 -1.2 0 .2Q1.1 1.4 2.2 -.6',
  '\u0304': 'M-2 .2H2',
  '\u0308': 'M-1.7 .2V.4M1.7 .2V.4',
  '\u030a': 'M0 -1.6R1.4 -.2D0 1.2R-1.4 -.2D0 -1.6',
  '\u030c': 'M-1.8 -.8L0 1L1.8 -.8',
  '\u0327': 'M.2 10V11.2Q1.8 11.4 1.2 12.8Q.4 13.8 -1 13.2',
};

/** Small figures and letters: the character that is shrunk, and how far down it sits. */
const RAISED: Readonly<Record<string, string>> = { ª: 'a', º: 'o', '¹': '1', '²': '2', '³': '3' };
const FRACTIONS: Readonly<Record<string, readonly [string, string]>> = {
  '¼': ['1', '4'],
  '½': ['1', '2'],
  '¾': ['3', '4'],
};
const SPACES: Readonly<Record<string, number>> = { ' ': 1.5, '\u00a0': 1.5, '\t': 13, '\r': -3 };
/** Marks that Latin-1 also has standing alone. */
const ALONE: Readonly<Record<string, string>> = {
  '´': '\u0301',
  '¨': '\u0308',
  '¯': '\u0304',
  '¸': '\u0327',
};

/** How one character is drawn: its strokes as points in turn, and its width between outer stems. */
export interface Glyph {
  readonly width: number;
  readonly strokes: readonly (readonly number[])[];
}

const UNKNOWN: Glyph = { width: 6, strokes: trace('M0 0H6V10H0V0') };
const table = new Map<string, Glyph>();
for (const line of DRAWN.trim().split('\n')) {
  const [, character = '', width = '', path = ''] = /^(\S) (\S+) (.+)$/u.exec(line) ?? [];
  table.set(character, { width: Number(width), strokes: trace(path) });
}

/** The strokes of a character; a box for one that has none. */
export function glyphOf(character: string): Glyph {
  let glyph = table.get(character);
  if (!glyph) {
    glyph = compose(character) ?? UNKNOWN;
    if (glyph !== UNKNOWN) table.set(character, glyph);
  }
  return glyph;
}

function compose(character: string): Glyph | undefined {
  const space = SPACES[character];
  if (space !== undefined) return { width: space, strokes: [] };
  const raised = RAISED[character];
  if (raised) return { width: 3.5, strokes: placed(glyphOf(raised), 0.58, 0, 0) };
  const fraction = FRACTIONS[character];
  if (fraction) {
    const strokes = [
      ...placed(glyphOf(fraction[0]), 0.55, 0, 0),
      ...placed(glyphOf(fraction[1]), 0.55, 6, 4.5),
      [8, 0, 2, 10],
    ];
    return { width: 9.5, strokes };
  }
  const alone = ALONE[character];
  if (alone)
    return { width: 4, strokes: placed({ width: 0, strokes: trace(MARKS[alone] ?? '') }, 1, 2, 0.4) };
  const [letter = '', ...marks] = character.normalize('NFD');
  const base = table.get(letter === 'i' ? 'ı' : letter === 'j' ? 'ȷ' : letter);
  if (!base || marks.length === 0 || marks.some((mark) => !MARKS[mark])) return undefined;
  const raisedBy = letter === letter.toLowerCase() ? 0.4 : -2.8;
  const strokes = marks.flatMap((mark) =>
    placed(
      { width: 0, strokes: trace(MARKS[mark] ?? '') },
      1,
      base.width / 2,
      mark === '\u0327' ? 0 : raisedBy,
    ),
  );
  return { width: base.width, strokes: [...base.strokes, ...strokes] };
}

function placed(glyph: Glyph, scale: number, x: number, y: number): number[][] {
  return glyph.strokes.map((points) =>
    points.map((value, index) => value * scale + (index % 2 === 0 ? x : y)),
  );
}
