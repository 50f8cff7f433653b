import { randomUUID } from 'node:crypto';
import { chmod, lstat, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { platform } from 'node:os';
import { join } from 'node:path';
import { DatabaseError } from '../stores/database-error.js';

const FOR_OTHERS = 0o077;
const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;
const ROOT = 0;
/** Of the file that shows the owner of new files. Names that begin so are no part of a database. */
const PROBE = 'streamspace-database-owner-';
/** Files that are looked at together. */
const AT_ONCE = 32;

/** Windows has no modes. */
const hasModes = platform() !== 'win32';

/**
 * Makes the folder of a database, for this user alone, or closes the one that is there: PGlite gives its files the mode
 * 0666 whatever the process's umask is, so that the folder is what keeps other users out.
 *
 * A folder of another user is refused, also where root runs this: its owner could replace the files of the database.
 *
 * @throws DatabaseError `internal` where that is not possible
 */
export async function makePrivate(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: FOLDER_MODE });
  if (!hasModes) return;
  const { mode, uid } = await stat(folder);
  // As the file system counts users: NFS can give root's files to another one.
  const mine = await ownerOfNewFiles(folder).catch((error: unknown) => ({ error }));
  if (typeof mine === 'number') await assertOwner(folder, mine);
  await closeFolder(folder, mode, uid);
  if (typeof mine !== 'number') throw mine.error;
}

async function closeFolder(folder: string, mode: number, uid: number): Promise<void> {
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

/** The user that a file belongs to which this process makes in the folder. */
async function ownerOfNewFiles(folder: string): Promise<number> {
  const path = join(folder, `${PROBE}${randomUUID()}`);
  const file = await open(path, 'wx', FILE_MODE);
  try {
    return (await file.stat()).uid;
  } finally {
    await file.close();
    await rm(path, { force: true });
  }
}

async function assertOwner(folder: string, mine: number): Promise<void> {
  const [target, link] = await Promise.all([stat(folder), lstat(folder)]);
  // Root may link to a folder of this user.
  if (target.uid === mine && [mine, ROOT].includes(link.uid)) return;
  const other = target.uid === mine ? link : target;
  const what = other.isSymbolicLink() ? 'a link of' : 'one of';
  throw new DatabaseError(
    'internal',
    `${folder} must be a folder of this user (${mine}); got ${what} user ${other.uid}, mode ${(other.mode & 0o7777).toString(8).padStart(4, '0')}: ` +
      `run chown -R ${mine} '${folder}' if you trust what is in it, or choose another folder`,
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
