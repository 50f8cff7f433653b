import { userInfo } from 'node:os';
import { missingForXDesktop, type XDesktopOptions } from '@streamspace/platform-local';
import type { Config } from './config.js';
import { ConfigError } from './early/place.mjs';

/**
 * How the agent of this process runs X desktops; `false` where it does not: with a database server, where it was
 * switched off, and where a program that they need is not installed.
 *
 * @throws ConfigError for a program that is named and not there
 */
export function xDesktopsHere({ xvnc, externalDatabase }: Config): XDesktopOptions | false {
  if (externalDatabase || xvnc === 'off') return false;
  const missing = missingForXDesktop(xvnc);
  if (xvnc !== undefined && missing.includes(xvnc))
    throw new ConfigError(
      'STREAMSPACE_XVNC',
      xvnc,
      'not there, or not to be run; allowed are the name or the path of Xtigervnc, and off',
    );
  if (missing.length > 0) return false;
  // Whoever stops this process expects nothing of it to run on.
  return { onClose: 'end', ...(xvnc !== undefined && { program: xvnc }) };
}

/** What whoever starts this has to know of them. */
export function xDesktopsNotice({ unisolatedAgents }: Pick<Config, 'unisolatedAgents'>): string {
  const who =
    unisolatedAgents === 'admins'
      ? 'only administrators may create sessions here (STREAMSPACE_UNISOLATED_AGENTS), unless STREAMSPACE_XVNC=off'
      : 'and everyone who has an account may create sessions here (STREAMSPACE_UNISOLATED_AGENTS)';
  return `X desktops run as the user ${userInfo().username}, with access to all of that user's files: ${who}`;
}
