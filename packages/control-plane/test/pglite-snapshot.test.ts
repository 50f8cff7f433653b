import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../src/index.js';
import { prepareFolder } from '../src/pglite/founding.js';
import { pgliteDatabase } from '../src/pglite/index.js';
import { makeSnapshot } from '../src/pglite/make-snapshot.js';
import { packFolder, unpackFolder } from '../src/pglite/packed-folder.js';
import { snapshotKey, unpackSnapshot } from '../src/pglite/snapshot.js';
import { migrate } from '../src/stores/migrate.js';
import { MIGRATIONS } from '../src/stores/migrations/index.js';
import { catalogOf } from './support/catalog.js';
import { tablesOf } from './support/dumps.js';

const PATIENT = { timeout: 120_000 };
const versions = MIGRATIONS.map(({ version }) => version);

/** Holds the snapshot that all tests use. */
let shared: string;
let snapshot: string;
beforeAll(async () => {
  shared = mkdtempSync(join(tmpdir(), 'streamspace-snapshots-'));
  snapshot = join(shared, 'database.snapshot');
  await makeSnapshot(snapshot, shared);
}, PATIENT.timeout);
afterAll(() => rmSync(shared, { recursive: true, force: true }));

let parent: string;
let dataFolder: string;
let said: string[];
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'streamspace-pglite-snapshot-'));
  dataFolder = join(parent, 'data');
  said = [];
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

const open = (path: string | false = snapshot): Promise<Database> =>
  pgliteDatabase({ dataFolder, snapshot: path, onSnapshotUnused: (why) => said.push(why) });

/** Writes a snapshot with another first line or another packed folder than the shared one's. */
async function altered({
  key,
  packed,
}: {
  key?: string;
  packed?: (bytes: Buffer) => Buffer;
}): Promise<string> {
  const bytes = readFileSync(snapshot);
  const end = bytes.indexOf('\n') + 1;
  const path = join(parent, 'altered.snapshot');
  const rest = packed ? packed(bytes.subarray(end)) : bytes.subarray(end);
  writeFileSync(path, Buffer.concat([Buffer.from(`${key ?? (await snapshotKey())}\n`), rest]));
  return path;
}

/** Unpacks the shared snapshot beside the data folder. */
async function unpacked(): Promise<string> {
  const folder = join(parent, 'unpacked');
  mkdirSync(folder);
  expect(await unpackSnapshot(snapshot, folder)).toBe(true);
  return folder;
}

describe('the snapshot of a new PGlite database', () => {
  it('is what the migrations make, without anything left to apply', PATIENT, async () => {
    const marker = join(dataFolder, 'streamspace-database');
    const stages: string[] = [];
    const onCreating = (): void => void stages.push(readFileSync(marker, 'utf8'));
    await using database = await pgliteDatabase({ dataFolder, snapshot, onCreating });
    stages.push(readFileSync(marker, 'utf8'));
    expect(stages).toEqual(['founding\n', 'founded\n']);
    expect(await migrate(database)).toEqual([]);

    const reference = join(parent, 'reference');
    await using migrated = await pgliteDatabase({ dataFolder: reference, snapshot: false });
    expect(await migrate(migrated)).toEqual(versions);

    const catalog = await catalogOf(database);
    for (const [part, rows] of Object.entries(await catalogOf(migrated)))
      expect(catalog[part], part).toEqual(rows);
    for (const part of ['columns', 'indexes', 'constraints', 'settings'])
      expect(catalog[part]!.length, part).toBeGreaterThan(20);
    const tables = await tablesOf(database);
    expect(tables).toEqual(await tablesOf(migrated));
    const filled = [...tables].filter(([, { count }]) => count > 0);
    expect(filled.map(([name]) => name)).toEqual(['schema_migrations']);
    expect((await database.query('select 1 from pg_authid where rolpassword is not null')).rows).toEqual([]);
  });

  it('has the files of a database that was shut down, for this user alone, and no marker', async () => {
    const folder = await unpacked();
    const control = readFileSync(join(folder, 'global', 'pg_control'));
    // DBState DB_SHUTDOWNED.
    expect(control.readUInt32LE(16)).toBe(1);
    const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
    const modes = entries.map((entry) => statSync(join(entry.parentPath, entry.name)).mode & 0o777);
    expect([...new Set(modes)].sort()).toEqual([0o600, 0o700]);
    const top = readdirSync(folder);
    expect(top).toContain('PG_VERSION');
    expect(top.filter((name) => /^streamspace|\.pid$/.test(name))).toEqual([]);
    expect(readdirSync(shared)).toEqual(['database.snapshot']);
  });

  it('is not used when it is of other migrations, start parameters or another PGlite', async () => {
    const last = MIGRATIONS.at(-1)!;
    const others = [
      await snapshotKey({ migrations: [...MIGRATIONS, { version: '9999_later', sql: 'select 1' }] }),
      await snapshotKey({ migrations: MIGRATIONS.slice(0, -1) }),
      await snapshotKey({ migrations: [...MIGRATIONS.slice(0, -1), { ...last, sql: `${last.sql} ` }] }),
      await snapshotKey({ pgliteVersion: '0.5.15' }),
      await snapshotKey({ startParams: ['--single'] }),
      '',
    ];
    expect(new Set([await snapshotKey(), ...others]).size).toBe(others.length + 1);
    mkdirSync(dataFolder);
    for (const key of others) {
      const path = await altered({ key });
      await expect(unpackSnapshot(path, dataFolder)).rejects.toThrow(/another version of PGlite/);
      expect(readdirSync(dataFolder)).toEqual([]);
    }
    expect(await unpackSnapshot(join(parent, 'missing'), dataFolder)).toBe(false);
  });

  it('writes nothing when it is damaged', async () => {
    mkdirSync(dataFolder);
    const middle = (bytes: Buffer): number => bytes.length >> 1;
    const damages: ((bytes: Buffer) => Buffer)[] = [
      (bytes) => bytes.subarray(0, middle(bytes)),
      (bytes) => bytes.subarray(0, -1),
      () => Buffer.alloc(0),
      (bytes) => {
        const copy = Buffer.from(bytes);
        copy[middle(copy)]! ^= 1;
        return copy;
      },
    ];
    for (const packed of damages) {
      await expect(unpackSnapshot(await altered({ packed }), dataFolder)).rejects.toThrow();
      expect(readdirSync(dataFolder)).toEqual([]);
    }
  });

  it('leaves the ordinary initialization to a database when it is cut off', PATIENT, async () => {
    const cut = await altered({ packed: (bytes) => bytes.subarray(0, bytes.length >> 1) });
    await using database = await open(cut);
    expect(said).toEqual([expect.stringContaining(`${cut} is not used: `)]);
    expect(await migrate(database)).toEqual(versions);
  });

  it(
    'leaves the ordinary initialization to a database when PostgreSQL cannot start on it',
    PATIENT,
    async () => {
      const folder = await unpacked();
      writeFileSync(join(folder, 'global', 'pg_control'), Buffer.alloc(8192));
      writeFileSync(join(folder, 'left-over'), '');
      const packed = await packFolder(folder, () => true);
      await using database = await open(await altered({ packed: () => packed }));
      expect(said).toHaveLength(1);
      expect(await migrate(database)).toEqual(versions);
      expect(readdirSync(dataFolder)).not.toContain('left-over');
    },
  );

  it('begins again after a crash while it was unpacked', PATIENT, async () => {
    mkdirSync(dataFolder);
    expect(await prepareFolder(dataFolder)).toBe(true);
    await unpackSnapshot(snapshot, dataFolder);
    rmSync(join(dataFolder, 'global'), { recursive: true });
    writeFileSync(join(dataFolder, 'PG_VERSION'), '');
    {
      await using database = await open();
      expect(said).toEqual([]);
      expect(await migrate(database)).toEqual([]);
      await database.script('create table items (n int4); insert into items values (7)');
    }
    // Founded: a database that is there is never replaced.
    await using database = await open();
    expect((await database.query('select n from items')).rows).toEqual([{ n: 7 }]);
  });
});

describe('a packed folder', () => {
  it('is unpacked as it was, empty folders and files included', async () => {
    const folder = join(parent, 'one');
    mkdirSync(join(folder, 'a', 'empty'), { recursive: true });
    writeFileSync(join(folder, 'a', 'zero'), '');
    writeFileSync(join(folder, 'a.b'), Buffer.from([0, 255]));
    writeFileSync(join(folder, 'not-kept'), 'x');
    const packed = await packFolder(folder, (path) => path !== 'not-kept');
    mkdirSync(dataFolder);
    await unpackFolder(packed, dataFolder);
    expect(readdirSync(dataFolder, { recursive: true }).sort()).toEqual(['a', 'a.b', 'a/empty', 'a/zero']);
    expect(readFileSync(join(dataFolder, 'a.b'))).toEqual(Buffer.from([0, 255]));
  });
});
