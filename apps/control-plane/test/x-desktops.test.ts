import { describe, expect, it } from 'vitest';
import { missingForXDesktop } from '@streamspace/platform-local';
import { readConfig } from '../src/config.js';
import { templates } from '../src/templates.js';
import { xDesktopsHere, xDesktopsNotice } from '../src/x-desktops.js';

const here = (env: Record<string, string>) => xDesktopsHere(readConfig(env, '/tmp'));

describe('X desktops of the embedded mode', () => {
  it('are there where their programs are, and end with the process', () => {
    expect(here({})).toEqual(missingForXDesktop().length === 0 ? { onClose: 'end' } : false);
    const program = missingForXDesktop('sh').length === 0 ? 'sh' : undefined;
    if (program) expect(here({ STREAMSPACE_XVNC: program })).toEqual({ onClose: 'end', program });
  });

  it('are not there where they were switched off, nor with a database server', () => {
    expect(here({ STREAMSPACE_XVNC: 'off' })).toBe(false);
    const DB = { DB_HOST: 'localhost', DB_USER: 'ada', JWT_SECRET: 'x'.repeat(32) };
    expect(here(DB)).toBe(false);
  });

  it('are refused by name where the named server is not there', () => {
    expect(() => here({ STREAMSPACE_XVNC: '/no/such/Xvnc' })).toThrow(
      /^STREAMSPACE_XVNC=\/no\/such\/Xvnc: not there, or not to be run; allowed are/,
    );
  });

  it('are offered besides the built-in desktop, which stays the first', () => {
    const names = (xDesktops: boolean) => templates({ xDesktops }).map(({ name }) => name);
    expect(names(false)).toEqual(['built-in-desktop']);
    expect(names(true)).toEqual(['built-in-desktop', 'x-desktop']);
    expect(names(true)).toEqual(names(true).sort());
  });

  it('are announced with who may have them', () => {
    const notice = (unisolatedAgents: 'admins' | 'everyone') => xDesktopsNotice({ unisolatedAgents });
    expect(notice('admins')).toContain('only administrators may create sessions here');
    expect(notice('everyone')).toContain('everyone who has an account may create sessions here');
  });
});
