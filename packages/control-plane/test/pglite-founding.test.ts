import { existsSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { pgliteDatabase } from '../src/pglite/index.js';

let dataFolder: string;
beforeEach(async () => {
  dataFolder = await mkdtemp(join(tmpdir(), 'streamspace-pglite-'));
});
afterEach(() => rm(dataFolder, { recursive: true, force: true }));

/** A database that was made and closed, which tests that do not make their own begin with. */
let made: string;
beforeAll(async () => {
  made = await mkdtemp(join(tmpdir(), 'streamspace-pglite-made-'));
  await makeDatabase(made);
}, 60_000);
afterAll(() => rm(made, { recursive: true, force: true }));

const copyDatabase = (): Promise<void> => cp(made, dataFolder, { recursive: true });

const marker = () => join(dataFolder, 'streamspace-database');
const version = () => join(dataFolder, 'PG_VERSION');

async function makeDatabase(folder = dataFolder): Promise<void> {
  await using database = await pgliteDatabase({ dataFolder: folder });
  await database.script('create table items (n int4); insert into items values (7)');
}

async function items(): Promise<unknown[]> {
  await using database = await pgliteDatabase({ dataFolder });
  return (await database.query('select n from items')).rows;
}

describe('a folder that held a PGlite database', () => {
  it('never gets a new one unasked when its version is missing or empty', { timeout: 60_000 }, async () => {
    await copyDatabase();
    const kept = await readFile(version(), 'utf8');
    const refused = async (what: string) => {
      const before = (await readdir(dataFolder)).sort();
      const error = await pgliteDatabase({ dataFolder }).catch((thrown: unknown) => thrown as Error);
      expect(error).toMatchObject({ name: 'DatabaseError', shouldRetry: false });
      expect(String(error)).toContain(`${dataFolder} held a database and its file PG_VERSION is ${what}`);
      expect(String(error)).toMatch(/restore the folder from a backup, or move it away/);
      expect(String(error)).not.toContain('\n');
      expect((await readdir(dataFolder)).sort()).toEqual(before);
    };
    await unlink(version());
    await refused('missing');
    await writeFile(version(), '');
    await refused('empty');
    await writeFile(version(), kept);
    expect(await items()).toEqual([{ n: 7 }]);
  });

  it('is opened and marked when it is from before there was a marker', { timeout: 60_000 }, async () => {
    await copyDatabase();
    await unlink(marker());
    expect(await items()).toEqual([{ n: 7 }]);
    expect(await readFile(marker(), 'utf8')).toBe('founded\n');
  });

  it('begins again when its first start was cut short', { timeout: 60_000 }, async () => {
    await copyDatabase();
    await writeFile(marker(), 'founding\n');
    // A copy that got as far as the version and no further.
    await rm(join(dataFolder, 'global'), { recursive: true });
    await makeDatabase();
    expect(await items()).toEqual([{ n: 7 }]);
  });

  it('says that it is founding until it is founded', { timeout: 60_000 }, async () => {
    let created = 0;
    const onCreating = (): void => void (created += 1);
    const opening = pgliteDatabase({ dataFolder, onCreating });
    const deadline = performance.now() + 10_000;
    while (!existsSync(marker()) && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 1));
    expect(await readFile(marker(), 'utf8')).toBe('founding\n');
    await (await opening)[Symbol.asyncDispose]();
    expect(await readFile(marker(), 'utf8')).toBe('founded\n');
    expect(created).toBe(1);
    await (await pgliteDatabase({ dataFolder, onCreating }))[Symbol.asyncDispose]();
    expect(created).toBe(1);
  });
});
