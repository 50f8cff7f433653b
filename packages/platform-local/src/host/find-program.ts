import { accessSync, constants, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';

/** Where programs are looked for, and the `PATH` of sessions. The agent's own is nobody's business in there. */
export const PROGRAM_PATH = '/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games';

/**
 * The absolute path of a program, where it can be run.
 *
 * @param name its name alone, or an absolute path; nothing else is found
 */
export function findProgram(name: string): string | undefined {
  const folders = name.includes('/') ? [] : PROGRAM_PATH.split(':');
  const places = isAbsolute(name) ? [name] : folders.map((folder) => join(folder, name));
  return places.find((place) => {
    try {
      accessSync(place, constants.X_OK);
      return statSync(place).isFile();
    } catch {
      return false;
    }
  });
}
