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

  it.each([1000, 1002, 1003, 1007, 1008, 1009, 4400, 4401, 4403, 4404, 4408, 4409, 4423, 4999])(
    'takes %i as final',
    (code) => {
      expect(endingOfClose({ code, reason: '' }).shouldRetry).toBe(false);
    },
  );

  it.each([1001, 1005, 1006, 1011, 1012, 1013, 4429, 4502])('tries again after %i', (code) => {
    expect(endingOfClose({ code, reason: '' }).shouldRetry).toBe(true);
  });

  it.each([1002, 1003, 1007, 4400])('says that the two ends do not understand each other for %i', (code) => {
    expect(endingOfClose({ code, reason: '' })).toMatchObject({
      code: 'protocol_error',
      reason: expect.stringMatching(/^[A-Z].*\.$/) as string,
    });
  });

  it('knows a hibernated desktop, and says how to go on', () => {
    expect(endingOfClose({ code: 4423, reason: '' })).toEqual({
      code: 'hibernated',
      reason: 'The desktop is hibernated. Wake it to go on.',
      shouldRetry: false,
    });
  });

  it('does not call lost what was never there', () => {
    expect(endingOfClose({ code: 1006, reason: '' }, true)).toMatchObject({ code: 'connection_lost' });
    expect(endingOfClose({ code: 1006, reason: '' }, false)).toMatchObject({
      code: 'connect_failed',
      shouldRetry: true,
    });
  });
});
