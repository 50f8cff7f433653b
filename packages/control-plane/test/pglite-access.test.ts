import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pgliteDatabase } from '../src/pglite/index.js';
import { closeFiles, makePrivate } from '../src/pglite/private-folder.js';

const isRoot = process.getuid?.() === 0;

let parent: string;
let dataFolder: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'streamspace-pglite-access-'));
  dataFolder = join(parent, 'data');
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

const modeOf = (path: string): number => statSync(path).mode & 0o7777;

/** Modes of what is in the folder, each once. */
function modesWithin(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const modes = entries.map((entry) => {
    const mode = lstatSync(join(entry.parentPath, entry.name)).mode & 0o777;
    return `${entry.isDirectory() ? 'folder' : 'file'} ${mode.toString(8)}`;
  });
  return [...new Set(modes)].sort();
}

describe('the folder of a PGlite database', () => {
  it('is closed to other users, without a umask of the process’s, new or there with mode 0755', async () => {
    mkdirSync(dataFolder);
    chmodSync(dataFolder, 0o755);
    await using database = await pgliteDatabase({ dataFolder });
    expect(modeOf(dataFolder)).toBe(0o700);
    expect(modesWithin(dataFolder)).toEqual(['file 600', 'folder 700']);
    // What the server makes later, its log included, is PostgreSQL's to give a mode to; the folder is closed anyway.
    await database.script('create table items (n int4); checkpoint');
    expect(modesWithin(dataFolder)).toEqual(['file 600', 'folder 700']);
  }, 120_000);

  it('is made closed where it is not there', async () => {
    await makePrivate(join(dataFolder, 'deeper'));
    expect(modeOf(join(dataFolder, 'deeper'))).toBe(0o700);
    expect(modeOf(dataFolder)).toBe(0o700);
  });

  it('is refused by name, mode and owner where it cannot be closed', async () => {
    // The kernel lets nobody change modes there, not even root.
    await expect(makePrivate('/proc/self/task')).rejects.toMatchObject({
      name: 'DatabaseError',
      code: 'internal',
      message: expect.stringMatching(
        /^\/proc\/self\/task must be a folder that other users cannot enter; it has mode 0555 and owner \d+, and cannot be closed \(E[A-Z]+\): run chmod 700 '\/proc\/self\/task' as its owner, or choose/,
      ) as string,
    });
  });

  it.runIf(isRoot).each([0o700, 0o755])(
    'is refused with mode %o of another user, also for root',
    async (mode) => {
      mkdirSync(dataFolder);
      chownSync(dataFolder, 65_534, 65_534);
      chmodSync(dataFolder, mode);
      await expect(pgliteDatabase({ dataFolder })).rejects.toMatchObject({
        name: 'DatabaseError',
        code: 'internal',
        message:
          `${dataFolder} must be a folder of this user (0); got one of user 65534, mode 0${mode.toString(8)}: ` +
          `run chown -R 0 '${dataFolder}' if you trust what is in it, or choose another folder`,
      });
      expect(modeOf(dataFolder)).toBe(mode);
      expect(readdirSync(dataFolder)).toEqual([]);
    },
  );

  it.runIf(isRoot)('is refused as a link of another user', async () => {
    mkdirSync(join(parent, 'other'));
    symlinkSync(join(parent, 'other'), dataFolder);
    execFileSync('chown', ['-h', '65534:65534', dataFolder]);
    await expect(makePrivate(dataFolder)).rejects.toThrow(/got a link of user 65534/);
  });

  it('may be a link of this user, and holds nothing more afterwards', async () => {
    mkdirSync(join(parent, 'other'));
    chmodSync(join(parent, 'other'), 0o755);
    symlinkSync(join(parent, 'other'), dataFolder);
    await makePrivate(dataFolder);
    expect(modeOf(join(parent, 'other'))).toBe(0o700);
    expect(readdirSync(dataFolder)).toEqual([]);
  });

  it('has modes changed only where they differ', async () => {
    mkdirSync(join(dataFolder, 'base'), { recursive: true });
    chmodSync(join(dataFolder, 'base'), 0o500);
    await closeFiles(dataFolder);
    expect(modeOf(join(dataFolder, 'base'))).toBe(0o500);
    chmodSync(join(dataFolder, 'base'), 0o777);
    await closeFiles(dataFolder);
    expect(modeOf(join(dataFolder, 'base'))).toBe(0o700);
  });
});
