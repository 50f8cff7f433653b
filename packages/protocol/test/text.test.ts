import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutText, isIdentifier, LIMITS } from '../src/index.js';

const anyText = fc.string({ unit: 'grapheme', maxLength: 40 });

describe('cutText', () => {
  it.each([
    ['whole', 5, 'whole'],
    ['longer', 4, 'long'],
    ['ab🖥', 4, 'ab🖥'],
    ['ab🖥', 3, 'ab'],
    ['ab🖥c', 4, 'ab🖥'],
    ['🖥', 1, ''],
    ['anything', 0, ''],
  ])('leaves of %s what %d characters can hold', (text, maxChars, expected) => {
    expect(cutText(text, maxChars)).toBe(expected);
  });

  it('cuts no character in two, and leaves out no more than one that does not fit', () => {
    fc.assert(
      fc.property(anyText, fc.nat(50), (text, maxChars) => {
        const cut = cutText(text, maxChars);
        expect(text.startsWith(cut)).toBe(true);
        expect(cut).not.toMatch(/\p{Surrogate}/u);
        expect(cut.length).toBeGreaterThanOrEqual(Math.min(text.length, maxChars - 1));
        expect(cut.length).toBeLessThanOrEqual(Math.max(0, maxChars));
      }),
    );
  });
});

describe('isIdentifier', () => {
  it.each([
    ['desk-1', true],
    ['🖥', true],
    ['x'.repeat(LIMITS.idChars), true],
    ['x'.repeat(LIMITS.idChars + 1), false],
    ['', false],
    ['a\0', false],
    ['a\ud83d', false],
    ['\udda5\ud83d', false],
  ])('tells of %j whether a message takes it: %s', (text, expected) => {
    expect(isIdentifier(text)).toBe(expected);
  });
});
