import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { privateFolder, privateFolderOrVolume } from './early/folder-access.mjs';
import { checkDataFolder, ConfigError } from './early/place.mjs';
import { LockHeldError, takeLockFolder, type HeldLock, type LockHolder } from './early/lock-folder.mjs';
import { hostFailure } from './failure.js';
import { secretPath, SECRETS, SECRETS_FOLDER } from './secret-file.js';

/** How long a living holder is waited for, in ms: it may be about to end. */
const WAIT_FOR_HOLDER_MS = 2_000;
/** Folders that are made here, and those that others make when they need them, or that are mounted. */
const MADE = ['db', SECRETS_FOLDER];
const MADE_LATER = ['homes', 'sessions', 'vnc'];

/**
 * Takes the data folder for this process, and creates it where it is missing. The lock is the folder `lock` in it and
 * says who holds it; a holder that has died is replaced.
 *
 * @throws ConfigError when the folder cannot be used, or another process uses it
 */
export async function lockDataFolder(
  dataFolder: string,
  options: {
    signal?: AbortSignal;
    waitMs?: number;
    onWait?: (holder: LockHolder) => void;
    leaseMs?: number;
  } = {},
): Promise<HeldLock> {
  checkDataFolder(dataFolder);
  try {
    return await takeLockFolder(join(dataFolder, 'lock'), { waitMs: WAIT_FOR_HOLDER_MS, ...options });
  } catch (error) {
    if (error instanceof LockHeldError) {
      throw new ConfigError(
        'STREAMSPACE_DATA_DIR',
        dataFolder,
        `in use by ${error.who}; ${error.undo}, or choose another folder`,
      );
    }
    if (error instanceof Error && 'code' in error && error.code === 'lock_is_a_file')
      throw new ConfigError('STREAMSPACE_DATA_DIR', dataFolder, error.message);
    if (error instanceof Error && 'code' in error && (error.code === 'EACCES' || error.code === 'EPERM')) {
      throw new ConfigError(
        'STREAMSPACE_DATA_DIR',
        dataFolder,
        `holds files of another user (${error.code}); allowed is a folder that this user may write to`,
      );
    }
    const host = hostFailure(error);
    if (host !== undefined)
      throw new ConfigError('STREAMSPACE_DATA_DIR', dataFolder, `cannot be locked: ${host}`);
    throw error;
  }
}

/**
 * Sees to it that no other user can enter the folders with the database, the secrets and what belongs to sessions,
 * whatever the mode of the data folder itself. A volume of root's for what belongs to sessions is left as it is.
 *
 * @returns names of the folders of sessions that were open to other users
 * @throws ConfigError where one belongs to another user or cannot be closed
 */
export function closeToOthers(dataFolder: string): string[] {
  const refuse = (problem: string): never => {
    throw new ConfigError('STREAMSPACE_DATA_DIR', dataFolder, problem);
  };
  for (const name of MADE) privateFolder(join(dataFolder, name), refuse);
  for (const name of SECRETS) secretPath(dataFolder, name);
  const there = MADE_LATER.filter((name) => existsSync(join(dataFolder, name)));
  return there.filter((name) => privateFolderOrVolume(join(dataFolder, name), refuse));
}
