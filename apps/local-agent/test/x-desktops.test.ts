import { missingForXDesktop } from '@streamspace/platform-local';
import { describe, expect, it } from 'vitest';
import { xDesktopsHere } from '../src/x-desktops.js';

describe('X desktops of the agent', () => {
  it('are there where their programs are, and stay when the agent ends', () => {
    expect(xDesktopsHere(undefined)).toEqual(missingForXDesktop().length === 0 ? {} : false);
  });

  it('can be switched off', () => expect(xDesktopsHere('off')).toBe(false));

  it('are refused by name where the named server is not there', () => {
    expect(() => xDesktopsHere('/no/such/Xvnc')).toThrow(/^STREAMSPACE_XVNC=\/no\/such\/Xvnc: not there/);
  });
});
