import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pgliteDatabase } from '../src/pglite/index.js';

let dataFolder: string;
beforeEach(async () => {
  dataFolder = await mkdtemp(join(tmpdir(), 'streamspace-pglite-'));
});
afterEach(() => rm(dataFolder, { recursive: true, force: true }));

/** Lets a process write until it has acknowledged `rows` more, kills it at once, and returns the last it said. */
async function writeAndKill(rows: number): Promise<number> {
  const child = spawn(
    process.execPath,
    [
      '--conditions=@streamspace/source',
      '--import',
      'tsx',
      fileURLToPath(new URL('./support/durable-writer.ts', import.meta.url)),
      dataFolder,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const exited = once(child, 'exit');
  let last = 0;
  let seen = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    last = Number(line);
    if (++seen === rows) child.kill('SIGKILL');
  }
  const [code, signal] = (await exited) as [number | null, string | null];
  expect({ code, signal }).toEqual({ code: null, signal: 'SIGKILL' });
  return last;
}

describe('a PGlite database in a folder', () => {
  it('has everything that was acknowledged after kill -9, twice, opens again, and syncs each commit', async () => {
    const first = await writeAndKill(60);
    const second = await writeAndKill(40);
    expect(first).toBeGreaterThanOrEqual(60);
    expect(second).toBeGreaterThan(first);
    await using database = await pgliteDatabase({ dataFolder });
    const { rows } = await database.query('select count(*) as count, max(n) as max from written');
    const { count, max } = rows[0] as { count: number; max: number };
    expect(max).toBeGreaterThanOrEqual(second);
    expect(count).toBe(max);

    // Not only the process may die: each commit is synced, too.
    const settings = await database.query(
      `select name, setting from pg_settings where name in ('fsync', 'synchronous_commit', 'full_page_writes') order by name`,
    );
    expect(settings.rows.map((row) => row['setting'])).toEqual(['on', 'on', 'on']);
    await database.script('create table items (n int4)');
    const syncs = await countSyncs(async () => {
      for (let n = 0; n < 10; n++) await database.query('insert into items values ($1)', [n]);
    });
    expect(syncs).toBeGreaterThanOrEqual(10);
  }, 60_000);
});

/** How often files were synced to disk while `work` ran. */
async function countSyncs(work: () => Promise<void>): Promise<number> {
  const original = fs.fsyncSync;
  let count = 0;
  fs.fsyncSync = (fd) => {
    count += 1;
    original(fd);
  };
  syncBuiltinESMExports();
  try {
    await work();
  } finally {
    fs.fsyncSync = original;
    syncBuiltinESMExports();
  }
  return count;
}
