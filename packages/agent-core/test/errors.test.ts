import { describe, expect, it } from 'vitest';
import { codeOf, describeFailure, PlatformError } from '../src/errors.js';

describe('what went wrong, for the wire', () => {
  it('is cut to what a text may have, and no character of it in two', () => {
    const { error } = describeFailure(new Error('x'.repeat(4_095) + '🖥 and more'));
    expect(error).toBe('x'.repeat(4_095));
  });

  it.each([
    ['out_of_stock', 'out_of_stock'],
    ['', 'internal'],
    ['x'.repeat(256), 'internal'],
    ['a\0', 'internal'],
    ['a\ud83d', 'internal'],
  ])('has the code of the platform where that can be sent: %j', (code, expected) => {
    expect(codeOf(new PlatformError(code, 'no'))).toBe(expected);
  });
});
