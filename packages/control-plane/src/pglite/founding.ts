import { open, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseError } from '../stores/database-error.js';

/** Says how far the database of its folder has come. PostgreSQL leaves files alone that it does not know. */
export const MARKER = 'streamspace-database';
/** Without it PGlite takes the folder for an empty one, and makes a new database over whatever is there. */
const VERSION_FILE = 'PG_VERSION';
/** Files that are synced together. */
const AT_ONCE = 32;

type Stage = 'founding' | 'founded';

/**
 * Prepares a folder for a database to be opened in it.
 *
 * A folder: empty → founding → founded. One that is founding holds nothing that anybody was promised: a first start was
 * cut short, and the next one begins again. One that is founded never becomes empty again by itself. A database from
 * before there was a marker becomes founded when it is opened.
 *
 * @returns whether a new database is to be made in it
 * @throws DatabaseError `internal` when a database was here and is damaged
 */
export async function prepareFolder(folder: string): Promise<boolean> {
  await mkdir(folder, { recursive: true });
  const stage = await readStage(folder);
  if (stage === 'founded') {
    await assertVersion(folder);
    return false;
  }
  const names = (await readdir(folder)).filter((name) => !name.startsWith(MARKER));
  if (stage === 'founding')
    for (const name of names) await rm(join(folder, name), { recursive: true, force: true });
  else if (names.length === 0) await writeStage(folder, 'founding');
  return stage === 'founding' || names.length === 0;
}

/** Notes that the database in the folder is whole, once all of it is on disk. Without effect when that is noted. */
export async function markFounded(folder: string): Promise<void> {
  if ((await readStage(folder)) === 'founded') return;
  await syncAll(folder);
  await writeStage(folder, 'founded');
}

async function assertVersion(folder: string): Promise<void> {
  const version = await readText(join(folder, VERSION_FILE));
  if (version?.trim()) return;
  throw new DatabaseError(
    'internal',
    `${folder} held a database and its file ${VERSION_FILE} is ${version === undefined ? 'missing' : 'empty'}: ` +
      'nothing was changed; restore the folder from a backup, or move it away to begin with an empty database',
  );
}

async function readStage(folder: string): Promise<Stage | undefined> {
  const text = await readText(join(folder, MARKER));
  if (text === undefined) return undefined;
  // Whatever else it may hold, it is not for us to throw away what is beside it.
  return text.trim() === 'founding' ? 'founding' : 'founded';
}

async function writeStage(folder: string, stage: Stage): Promise<void> {
  const path = join(folder, MARKER);
  const draft = `${path}.new`;
  const file = await open(draft, 'w', 0o600);
  try {
    await file.writeFile(`${stage}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
  await sync(folder);
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** A new database is copied into its folder without a word to the disk. */
async function syncAll(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile() || entry.isDirectory())
    .map(({ parentPath, name }) => join(parentPath, name));
  for (let from = 0; from < paths.length; from += AT_ONCE)
    await Promise.all(paths.slice(from, from + AT_ONCE).map(sync));
  await sync(folder);
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
