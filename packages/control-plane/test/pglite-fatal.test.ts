import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPglite } from '../src/pglite/pglite-database.js';
import type { Database } from '../src/stores/database.js';
import type { DatabaseError } from '../src/stores/database-error.js';
import { errnoException, FailingFiles, type FileOperation } from './support/failing-files.js';
import { countModuleEntries, type ModuleEntries } from './support/module-entries.js';

/** An open database on files that can fail, and what it said. */
interface Opened {
  readonly database: Database;
  readonly files: FailingFiles;
  readonly fatal: DatabaseError[];
}

let dataFolder: string;
let entries: ModuleEntries;
/** Each case leaves a folder to recover; the next case opens it, and checks it first. */
let current: Opened;
const acknowledged = new Set<number>();
/** Rows of statements that were answered as failed: whether they took effect is unknown. */
const inDoubt = new Set<number>();
let next = 1;

async function open(): Promise<Opened> {
  const files = new FailingFiles();
  const fatal: DatabaseError[] = [];
  const database = await openPglite({ dataFolder, onFatal: (error) => fatal.push(error) }, { files });
  return { database, files, fatal };
}

const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

/** Inserts a row, and notes whether it was acknowledged. */
async function insert(work: (n: number) => Promise<unknown>): Promise<unknown> {
  const n = next++;
  inDoubt.add(n);
  const error = await rejection(work(n));
  if (error === undefined) {
    inDoubt.delete(n);
    acknowledged.add(n);
  }
  return error;
}

async function rows(database: Database): Promise<number[]> {
  const { rows } = await database.query<{ n: number }>('select n from items order by n');
  return rows.map(({ n }) => n);
}

/** Opens the folder again on healthy files: what was acknowledged is there, and nothing that was never asked for. */
async function reopenAndCheck(): Promise<void> {
  current = await open();
  const found = await rows(current.database);
  expect(found).toEqual(expect.arrayContaining([...acknowledged]));
  expect(found.filter((n) => !acknowledged.has(n) && !inDoubt.has(n))).toEqual([]);
  acknowledged.clear();
  inDoubt.clear();
  for (const n of found) acknowledged.add(n);
}

beforeAll(async () => {
  dataFolder = await mkdtemp(join(tmpdir(), 'streamspace-pglite-'));
  entries = countModuleEntries();
  current = await open();
  await current.database.script('create table items (n int4 primary key)');
}, 60_000);
afterAll(async () => {
  await current.database[Symbol.asyncDispose]();
  entries[Symbol.dispose]();
  await rm(dataFolder, { recursive: true, force: true });
});

const single = ({ database }: Opened) => insert((n) => database.query('insert into items values ($1)', [n]));
const transaction = ({ database }: Opened) =>
  insert((n) =>
    database.transaction(async (tx) => {
      await tx.query('insert into items values ($1)', [n]);
    }),
  );

/** What a database that has stopped does, whatever stopped it. */
async function expectStopped({ database, files, fatal }: Opened, code: string): Promise<void> {
  await turn();
  expect(fatal).toHaveLength(1);
  const [error] = fatal;
  expect(error).toMatchObject({ name: 'DatabaseError', code: 'fatal', shouldRetry: false });
  expect(error!.message).toContain(`PGlite in ${dataFolder} has stopped`);
  expect(error!.message).toContain(code);
  expect(error!.cause).toMatchObject({ code });
  const before = { entries: entries.count, calls: files.calls };
  const late = [
    database.query('select 1'),
    database.script('select 1'),
    database.transaction(async (tx) => tx.query('select 1')),
  ];
  for (const call of late) expect(await rejection(call)).toBe(error);
  await database[Symbol.asyncDispose]();
  // The event loop turns, and nothing went on behind it.
  let turns = 0;
  while (turns < 20) {
    await turn();
    turns += 1;
  }
  expect({ entries: entries.count, calls: files.calls }).toEqual(before);
  expect(fatal).toHaveLength(1);
}

const faults = {
  'write at the roll-over of the log': {
    operation: 'write',
    at: /\/pg_wal\//,
    prepare: 'select pg_switch_wal()',
  },
  fsync: { operation: 'fsync', at: /./, prepare: 'select 1' },
} as const;

describe.each(['ENOSPC', 'EIO', 'EROFS'])('a PGlite database whose files answer %s', (code) => {
  describe.each(Object.entries(faults))('to a %s', (_, { operation, at, prepare }) => {
    const arm = async (): Promise<void> => {
      await single(current);
      await current.database.query(prepare);
      current.files.arm((called, path) =>
        called === operation && at.test(path) ? errnoException(code, called) : undefined,
      );
    };

    it.each([
      ['single statement', single],
      ['transaction', transaction],
    ])('rejects a %s, stops, and is whole when it is opened again', { timeout: 30_000 }, async (_, work) => {
      await arm();
      const before = entries.count;
      const error = await work(current);
      expect(error).toBe(current.fatal[0]);
      expect(current.files.failures).toBe(1);
      // Not more than the messages of one statement: PGlite's own `sync` and ROLLBACK stay outside.
      expect(entries.count - before).toBeLessThan(60);
      await expectStopped(current, code);
      await reopenAndCheck();
    });

    it('closes without entering the module again, and is whole', { timeout: 30_000 }, async () => {
      await arm();
      await current.database[Symbol.asyncDispose]();
      expect(current.files.failures).toBe(1);
      await turn();
      expect(current.fatal).toHaveLength(1);
      expect(current.fatal[0]!.cause).toMatchObject({ code });
      await reopenAndCheck();
    });
  });
});

describe('a PGlite database that stops', () => {
  it('rejects every pending call at once', { timeout: 30_000 }, async () => {
    const { database, files, fatal } = current;
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    // This transaction never ends by itself, and the others wait for it.
    const pending = [
      database.transaction(async (tx) => {
        files.arm((operation) => (operation === 'fsync' ? errnoException('EIO', operation) : undefined));
        await rejection(tx.script('select txid_current(); checkpoint'));
        await held;
      }),
      database.query('select 1'),
      database.transaction(async (tx) => tx.query('select 1')),
    ];
    for (const call of pending) expect(await rejection(call)).toBe(fatal[0]);
    release();
    await expectStopped(current, 'EIO');
    await reopenAndCheck();
  });

  it('survives a failure that PostgreSQL answers as an ordinary error', { timeout: 30_000 }, async () => {
    const { database, files, fatal } = current;
    let armed = true;
    files.arm((operation: FileOperation, path) =>
      armed && operation === 'write' && path.includes('/base/')
        ? errnoException('ENOSPC', operation)
        : undefined,
    );
    const error = await rejection(
      database.query(`create table filled as select repeat('x', 900) as text from generate_series(1, 40000)`),
    );
    expect(error).toMatchObject({ code: 'unavailable', message: expect.stringContaining('No space left') });
    armed = false;
    expect(await single(current)).toBeUndefined();
    expect(fatal).toEqual([]);
  });
});
