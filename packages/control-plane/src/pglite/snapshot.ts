import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MIGRATIONS } from '../stores/migrations/index.js';
import type { Migration } from '../stores/migrations/migration.js';
import { unpackFolder } from './packed-folder.js';
import { SYNCED_START_PARAMS } from './synced-folder.js';

const PGLITE = '@electric-sql/pglite';
/** Number of the file's format, {@link packFolder} included. */
const FORMAT = 1;
const NEWLINE = '\n'.charCodeAt(0);

/** The snapshot of the published package, beside the built entry `pglite`. The sources have none. */
export const SHIPPED_SNAPSHOT: string = fileURLToPath(new URL('./database.snapshot', import.meta.url));

/** What a database is made by; without a part, what is here. */
export interface Making {
  readonly pgliteVersion?: string;
  readonly startParams?: readonly string[];
  readonly migrations?: readonly Migration[];
}

/**
 * Returns the first line of a snapshot, without its end, that was made by this PGlite, these start parameters and these
 * migrations. Only a snapshot with exactly that line is used.
 *
 * A snapshot is one file: this line, and the packed folder of a database that was migrated and closed. The line
 * is in the same file, so that a file that is replaced takes its line with it.
 */
export async function snapshotKey(making: Making = {}): Promise<string> {
  const { startParams = SYNCED_START_PARAMS, migrations = MIGRATIONS } = making;
  const pglite = making.pgliteVersion ?? (await installedVersion());
  const list = migrations.map(({ version, sql }) => [version, sql]);
  return JSON.stringify({
    format: FORMAT,
    pglite,
    startParams,
    migrations: createHash('sha256').update(JSON.stringify(list)).digest('hex'),
  });
}

/** Writes the snapshot's database into an empty folder; returns false where there is no snapshot. @throws otherwise */
export async function unpackSnapshot(path: string, folder: string): Promise<boolean> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (bytes === undefined) return false;
  const end = bytes.indexOf(NEWLINE);
  if (bytes.toString('utf8', 0, Math.max(0, end)) !== (await snapshotKey()))
    throw new Error('it was made by another version of PGlite, other start parameters or other migrations');
  await unpackFolder(bytes.subarray(end + 1), folder);
  return true;
}

/** PGlite does not export its version. */
async function installedVersion(): Promise<string> {
  const entry = createRequire(import.meta.url).resolve(PGLITE);
  const text = await readFile(join(dirname(entry), '..', 'package.json'), 'utf8');
  const { name, version } = JSON.parse(text) as { name: unknown; version: unknown };
  if (name !== PGLITE || typeof version !== 'string')
    throw new Error(`${entry} is not in the package ${PGLITE}`);
  return version;
}
