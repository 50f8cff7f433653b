import { missingForXDesktop, type XDesktopOptions } from '@streamspace/platform-local';
import { ConfigError } from './config.js';

/** What an agent that has X desktops is labelled with; the control plane's template asks for it. */
export const X_DESKTOPS_LABEL = { 'x-desktops': 'yes' };

/**
 * How this agent runs X desktops; `false` where they were switched off or a program that they need is not installed.
 *
 * @throws ConfigError for a program that is named and not there
 */
export function xDesktopsHere(program: string | undefined): XDesktopOptions | false {
  if (program === 'off') return false;
  const missing = missingForXDesktop(program);
  if (program !== undefined && missing.includes(program))
    throw new ConfigError(
      'STREAMSPACE_XVNC',
      program,
      'not there, or not to be run; allowed are the name or the path of Xtigervnc, and off',
    );
  return missing.length > 0 ? false : { ...(program !== undefined && { program }) };
}
