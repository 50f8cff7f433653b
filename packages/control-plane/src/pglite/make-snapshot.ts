import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { migrate } from '../stores/migrate.js';
import { MARKER } from './founding.js';
import { packFolder } from './packed-folder.js';
import { openPglite } from './pglite-database.js';
import { snapshotKey } from './snapshot.js';

/** Where `pg_control` has the state of the database (PostgreSQL, catalog/pg_control.h), and the one after a shutdown. */
const STATE_AT = 16;
const SHUT_DOWN = 1;

/**
 * Makes a migrated database in a temporary folder, closes it, and writes its snapshot to `path`, in one step.
 *
 * It holds nothing of the machine that made it: the configuration is the same whatever its locale and time zone are, and
 * the only rows are those of the list of migrations, with the time at which they were applied to the snapshot.
 *
 * All databases that come from one snapshot have the same system identifier. PostgreSQL compares it only where log or
 * files of one server reach another (replication, `pg_basebackup`, archives of the log), and PGlite has none of these. The
 * other value in `pg_control` that differs by installation is a nonce with which a server that asks for SCRAM passwords
 * answers for users that do not exist; PGlite listens nowhere and has no passwords. Keys and ids that have to be random are
 * made when they are needed, not by a migration.
 */
export async function makeSnapshot(path: string, temporary: string = tmpdir()): Promise<void> {
  const folder = await mkdtemp(join(temporary, 'streamspace-snapshot-'));
  const draft = `${path}.${randomUUID()}.new`;
  try {
    const database = await openPglite({ dataFolder: folder, snapshot: false });
    try {
      await migrate(database);
    } finally {
      await database[Symbol.asyncDispose]();
    }
    const control = await readFile(join(folder, 'global', 'pg_control'));
    if (control.readUInt32LE(STATE_AT) !== SHUT_DOWN)
      throw new Error(
        'the database was not shut down: a snapshot of it would be recovered at each first start',
      );
    const packed = await packFolder(folder, (name) => !name.startsWith(MARKER));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(draft, Buffer.concat([Buffer.from(`${await snapshotKey()}\n`), packed]));
    await rename(draft, path);
  } finally {
    await rm(draft, { force: true });
    await rm(folder, { recursive: true, force: true });
  }
}
