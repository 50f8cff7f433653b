import { userInfo } from 'node:os';
import { PLATFORM_VARIABLE, SESSION_VARIABLE } from '../host/processes.js';
import { PROGRAM_PATH } from '../host/find-program.js';

export interface SessionPlace {
  readonly platformId: string;
  readonly sessionId: string;
  readonly generation: number;
  readonly home: string;
  readonly authority: string;
  readonly runtime: string;
}

/**
 * All that a session's processes are told. Made from nothing: the agent's own environment has keys and passwords in it.
 *
 * @param more what the template adds; it cannot replace ours
 */
export function sessionEnvironment(
  place: SessionPlace,
  display: number,
  more: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const { username, shell } = userInfo();
  return {
    LANG: 'C.UTF-8',
    ...more,
    PATH: PROGRAM_PATH,
    HOME: place.home,
    USER: username,
    LOGNAME: username,
    SHELL: shell ?? '/bin/sh',
    DISPLAY: `:${display}`,
    XAUTHORITY: place.authority,
    XDG_RUNTIME_DIR: place.runtime,
    [PLATFORM_VARIABLE]: place.platformId,
    [SESSION_VARIABLE]: place.sessionId,
    STREAMSPACE_GENERATION: String(place.generation),
  };
}
