import { describe, expect, it } from 'vitest';
import { glyphOf } from '../src/desktop/glyphs.js';
import { Note } from '../src/desktop/note.js';
import { Letters } from '../src/desktop/theme.js';
import { wrap } from '../src/desktop/wrap.js';

describe('The letters', () => {
  const box = JSON.stringify(glyphOf('\u2603'));

  it('have a drawing for every printable character of Latin-1', () => {
    const points = Array.from({ length: 0x100 - 0x20 }, (_, index) => index + 0x20);
    const printable = points.filter((point) => point < 0x7f || (point > 0xa0 && point !== 0xad));
    const missing = printable
      .map((point) => String.fromCharCode(point))
      .filter((character) => JSON.stringify(glyphOf(character)) === box);
    expect(missing).toEqual([]);
  });

  it('are each drawn in a way of their own', () => {
    const ascii = Array.from({ length: 94 }, (_, index) => String.fromCharCode(index + 0x21));
    const drawings = ascii.map((character) => JSON.stringify(glyphOf(character).strokes));
    expect(new Set(drawings).size).toBe(94);
  });

  it('leave out the end of what does not fit', () => {
    const fitted = Letters.body.fit('a long line of text', 60);
    expect(fitted).toMatch(/^a.*…$/);
    expect(Letters.body.measure(fitted)).toBeLessThanOrEqual(60);
  });
});

describe('Lines', () => {
  const lines = (text: string, width: number) =>
    wrap(text, Letters.body, width).map(({ start, end }) => text.slice(start, end));

  it('break at line breaks, after words, and inside a word that is too long', () => {
    expect(lines('', 100)).toEqual(['']);
    expect(lines('one\n\ntwo\n', 100)).toEqual(['one', '', 'two', '']);
    expect(lines('one two three four', 80)).toEqual(['one two', 'three four']);
    const long = lines('abcdefghijklmnopqrst', 60);
    expect(long.length).toBeGreaterThan(2);
    expect(long.join('')).toBe('abcdefghijklmnopqrst');
  });

  it('are never wider than there is room, whatever the text', () => {
    const text = 'Two 😀 faces and somewords that run together, again and again.'.repeat(5);
    for (const line of lines(text, 90)) {
      expect(Letters.body.measure(line.trimEnd())).toBeLessThanOrEqual(90);
    }
  });
});

describe('A note', () => {
  it('moves and deletes by whole characters', () => {
    const note = new Note('a😀b', 100);
    note.caret = 3;
    expect(note.before()).toBe(1);
    expect(note.backspace()).toBe(true);
    expect(note.text).toBe('ab');
    note.insert('😀');
    note.caret = 2;
    expect(note.caret).toBe(1);
    expect(note.delete()).toBe(true);
    expect([note.text, note.delete(), note.delete()]).toEqual(['ab', true, false]);
  });

  it('counts its bytes as they will be written', () => {
    const note = new Note('ü', 5);
    expect([note.insert('€'), note.insert('x'), note.backspace(), note.insert('xyz')]).toEqual([
      true,
      false,
      true,
      true,
    ]);
    expect(note.text).toBe('üxyz');
  });
});
