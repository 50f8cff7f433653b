import { chmod, lstat, mkdir, readdir, stat } from 'node:fs/promises';
import { platform } from 'node:os';
import { join } from 'node:path';
import { DatabaseError } from '../stores/database-error.js';

const FOR_OTHERS = 0o077;
const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;
/** Files that are looked at together. */
const AT_ONCE = 32;

/** Windows has no modes. */
const hasModes = platform() !== 'win32';

/**
 * Makes the folder of a database, for this user alone, or closes the one that is there: PGlite gives its files the mode
 * 0666 whatever the process's umask is, so that the folder is what keeps other users out.
 *
 * @throws DatabaseError `internal` where that is not possible
 */
export async function makePrivate(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: FOLDER_MODE });
  if (!hasModes) return;
  const { mode, uid } = await stat(folder);
  if ((mode & FOR_OTHERS) === 0) return;
  const failure = await chmod(folder, FOLDER_MODE).catch((error: NodeJS.ErrnoException) => error);
  const after = (await stat(folder)).mode & 0o7777;
  if ((after & FOR_OTHERS) === 0) return;
  const why = failure?.code ?? 'the file system keeps no modes';
  throw new DatabaseError(
    'internal',
    `${folder} must be a folder that other users cannot enter; it has mode ${after.toString(8).padStart(4, '0')} and owner ${uid}, ` +
      `and cannot be closed (${why}): run chmod 700 '${folder}' as its owner, or choose a folder on another file system`,
  );
}

/** Gives what is in the folder modes for this user alone. Only what has another mode is changed. */
export async function closeFiles(folder: string): Promise<void> {
  if (!hasModes) return;
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const close = async (path: string): Promise<void> => {
    const stats = await lstat(path);
    if (stats.isSymbolicLink() || (stats.mode & FOR_OTHERS) === 0) return;
    await chmod(path, stats.isDirectory() ? FOLDER_MODE : FILE_MODE);
  };
  for (let from = 0; from < entries.length; from += AT_ONCE) {
    const some = entries.slice(from, from + AT_ONCE);
    await Promise.all(some.map(({ parentPath, name }) => close(join(parentPath, name))));
  }
}
