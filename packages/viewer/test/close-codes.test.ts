import { describe, expect, it } from 'vitest';
import { CLOSE } from '@streamspace/protocol';
import { endingOfClose, KNOWN_CLOSE_CODES } from '../src/close-codes.js';

describe('close codes', () => {
  it.each(Object.entries(CLOSE))('has a sentence for %s', (_name, code) => {
    expect(KNOWN_CLOSE_CODES).toContain(code);
    expect(endingOfClose({ code, reason: '' }).reason).toMatch(/^[A-Z].*\.$/);
  });

  it('prefers the sentence of the server', () => {
    expect(endingOfClose({ code: 4502, reason: 'The agent went away.' })).toEqual({
      code: 'upstream_unavailable',
      reason: 'The agent went away.',
      shouldRetry: true,
    });
  });

  it.each([1000, 4401, 4403, 4404, 4408, 4999])('takes %i as final', (code) => {
    expect(endingOfClose({ code, reason: '' }).shouldRetry).toBe(false);
  });

  it.each([1001, 1005, 1006, 1011, 1012, 4429, 4502])('tries again after %i', (code) => {
    expect(endingOfClose({ code, reason: '' }).shouldRetry).toBe(true);
  });
});
