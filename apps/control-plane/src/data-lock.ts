import { join } from 'node:path';
import { checkDataFolder, ConfigError } from './early/place.mjs';
import { LockHeldError, takeLockFolder, type HeldLock, type LockHolder } from './early/lock-folder.mjs';

/** How long a living holder is waited for, in ms: it may be about to end. */
const WAIT_FOR_HOLDER_MS = 2_000;

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
    throw error;
  }
}
