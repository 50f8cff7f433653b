import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { databaseNotOpened, databaseStopped, Failure } from '../src/failure.js';

describe('the sentence for a database that has stopped', () => {
  const withCode = (code: string) =>
    new Error('PGlite has stopped', { cause: Object.assign(new Error(), { code }) });

  it.each([
    ['ENOSPC', 'no space left on device (ENOSPC)', 'free space there'],
    ['EIO', 'i/o error (EIO)', 'check the disk'],
    ['EROFS', 'read-only file system (EROFS)', 'make that file system writable'],
    ['EDQUOT', '(EDQUOT)', 'raise the quota'],
    ['ENXIO', 'no such device or address (ENXIO)', 'restore that folder from a backup'],
  ])('names the folder, %s in words, and what to do', (code, words, remedy) => {
    const sentence = databaseStopped('/data/db', withCode(code));
    expect(sentence).toContain('The database in /data/db has stopped: ');
    expect(sentence).toContain(words);
    expect(sentence).toContain(remedy);
    expect(sentence).not.toContain('\n');
  });

  it('repeats the database’s own words where no file failed', () => {
    expect(databaseStopped('/data/db', new Error('PANIC: XLogBeginInsert was already called'))).toContain(
      'has stopped: PANIC: XLogBeginInsert was already called. ',
    );
  });
});

describe('the sentence for a database that cannot be opened', () => {
  it.each([
    ['ENOSPC', 'free space there, then start again'],
    ['EDQUOT', 'raise the quota'],
    ['EROFS', 'make that file system writable'],
    ['EIO', 'check the disk'],
  ])('says for %s, as a cause too, what to do with the disk, and not with the database', (code, remedy) => {
    const failed = Object.assign(new Error('injected'), { code });
    for (const error of [failed, new Error('outer', { cause: new Error('inner', { cause: failed }) })]) {
      const sentence = databaseNotOpened('/data/db', error);
      expect(sentence).toContain('the database in /data/db cannot be opened: ');
      expect(sentence).toContain(remedy);
      expect(sentence).not.toContain('move it away');
    }
  });

  it('says to restore the folder or to move it away where the disk is in order', () => {
    const missing = Object.assign(new Error('no such file'), { code: 'ENOENT' });
    for (const error of [new Error('PANIC: no checkpoint'), new Error('outer', { cause: missing })])
      expect(databaseNotOpened('/data/db', error)).toContain(
        'restore that folder from a backup, or move it away',
      );
  });
});

describe('Failure', () => {
  it('keeps the first sentence and tells it once', () => {
    const failure = new Failure();
    let told = 0;
    failure.signal.addEventListener('abort', () => (told += 1));
    failure.report('first');
    failure.report('second');
    expect({ told, sentence: failure.sentence }).toEqual({ told: 1, sentence: 'first' });
  });
});

describe('the app whose database stops', () => {
  let folder: string;
  let child: ChildProcess | undefined;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'streamspace-failure-'));
  });
  afterEach(() => {
    child?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));

  function start(code: string, operation: string, settings: Record<string, string> = {}) {
    child = spawn(
      process.execPath,
      [
        '--conditions=@streamspace/source',
        '--import',
        'tsx',
        '--import',
        file('support/failing-disk.mjs'),
        file('../src/main.ts'),
      ],
      {
        env: {
          PATH: process.env['PATH'],
          PORT: '0',
          HOST: '127.0.0.1',
          STREAMSPACE_DATA_DIR: join(folder, 'data'),
          STREAMSPACE_XVNC: 'off',
          FAIL_WHEN: join(folder, 'fail'),
          FAIL_CODE: code,
          FAIL_OPERATION: operation,
          ...settings,
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    let output = '';
    let errors = '';
    const opened = new Promise<URL>((resolve) =>
      child!.stdout!.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        const url = /^Open this: (\S+)$/m.exec(output)?.[1];
        if (url !== undefined) resolve(new URL(url));
      }),
    );
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (errors += text));
    const closed = once(child, 'close');
    const early = closed.then(() => Promise.reject(new Error(`ended early:\n${output}${errors}`)));
    early.catch(() => undefined);
    return { opened: Promise.race([opened, early]), closed, output: () => output, errors: () => errors };
  }

  it.each([
    ['ENOSPC', 'writeSync', 'no space left on device (ENOSPC)'],
    ['EIO', 'fsyncSync', 'i/o error (EIO)'],
  ])(
    'ends with one sentence and exit code 1: %s of %s',
    { timeout: 120_000 },
    async (code, operation, words) => {
      const app = start(code, operation);
      const url = await app.opened;
      writeFileSync(join(folder, 'fail'), '');
      // A wrong setup link writes nothing; a right one writes an administrator, and gets no success.
      const answer = await fetch(new URL('/api/v1/setup', url), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          token: url.searchParams.get('token'),
          username: 'ada',
          password: 'correct horse battery',
        }),
      }).catch(() => undefined);
      expect(answer?.ok ?? false).toBe(false);
      const [exit] = (await app.closed) as [number | null];
      expect(exit, app.output() + app.errors()).toBe(1);
      const sentences = app
        .errors()
        .split('\n')
        .filter((line) => line.startsWith('ERROR: '));
      expect(sentences).toEqual([
        expect.stringContaining(`The database in ${join(folder, 'data', 'db')} has stopped: ${words}`),
      ]);
      expect(app.output()).toContain('INFO: Stopped');
      expect(app.output()).not.toContain('Not closed within');
    },
  );

  it(
    'names the disk, and what to do with it, when the database cannot be opened',
    { timeout: 120_000 },
    async () => {
      const first = start('ENOSPC', 'writeSync');
      await first.opened;
      expect(first.output()).toContain('INFO: Creating the database in ');
      child!.kill('SIGKILL');
      await first.closed;
      writeFileSync(join(folder, 'fail'), '');
      const second = start('ENOSPC', 'writeSync');
      second.opened.catch(() => undefined);
      const [exit] = (await second.closed) as [number | null];
      expect(exit, second.output() + second.errors()).toBe(1);
      expect(second.errors()).toContain(
        `the database in ${join(folder, 'data', 'db')} cannot be opened: no space left on device (ENOSPC); free space there`,
      );
      expect(second.errors()).not.toContain('move it away');
      expect(second.output()).not.toContain('Creating the database');
    },
  );

  it(
    'answers /ready with storage_full while the floor of free space is not reached',
    { timeout: 120_000 },
    async () => {
      const url = await start('ENOSPC', 'writeSync', { MIN_FREE_SPACE: '1000000GB' }).opened;
      const ready = await fetch(new URL('/ready', url));
      expect(ready.status).toBe(503);
      expect(await ready.json()).toMatchObject({
        code: 'storage_full',
        detail: expect.stringContaining(join(folder, 'data')) as unknown,
      });
    },
  );
});
