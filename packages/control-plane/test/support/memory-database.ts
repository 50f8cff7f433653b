import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PGlite } from '@electric-sql/pglite';
import type { Database } from '../../src/index.js';
import { openPglite } from '../../src/pglite/pglite-database.js';
import { snapshotKey } from '../../src/pglite/snapshot.js';
import { migrate } from '../../src/stores/migrate.js';

/** A line that says what the database was made by, and the tar of its files. Kept between runs. */
const KEPT = fileURLToPath(
  new URL('../../../../node_modules/.cache/streamspace/migrated-database.tar', import.meta.url),
);

/**
 * A new, migrated database in memory, for tests that are not about its making: it is loaded from a copy that the first
 * one makes, in a third of the time that the ordinary initialization takes.
 */
export async function memoryDatabase(): Promise<Database> {
  const key = Buffer.from(`${await snapshotKey()}\n`);
  const kept = await readFile(KEPT).catch(() => Buffer.alloc(0));
  const isOurs = kept.subarray(0, key.length).equals(key);
  const tar = isOurs ? kept.subarray(key.length) : await keep(key, await makeTar());
  return openPglite({ memory: true }, { cluster: new Blob([new Uint8Array(tar)]) });
}

async function makeTar(): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'streamspace-memory-database-'));
  try {
    {
      await using database = await openPglite({ dataFolder: folder, snapshot: false });
      await migrate(database);
    }
    const pglite = await PGlite.create({ dataDir: folder });
    const tar = await pglite.dumpDataDir('none');
    await pglite.close();
    return Buffer.from(await tar.arrayBuffer());
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** In one step: test files that run at once may all make it. */
async function keep(key: Buffer, tar: Buffer): Promise<Buffer> {
  const draft = `${KEPT}.${randomUUID()}`;
  await mkdir(dirname(KEPT), { recursive: true });
  await writeFile(draft, Buffer.concat([key, tar]));
  await rename(draft, KEPT);
  return tar;
}
