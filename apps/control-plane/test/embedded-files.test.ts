import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ownSecret } from '../src/embedded.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'streamspace-files-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('the secret in the data folder', () => {
  it('is made once', () => {
    const made = ownSecret(folder);
    expect(made).toMatch(/^[\w-]{43}$/);
    expect(ownSecret(folder)).toBe(made);
  });

  it.each(['', 'truncated\n'])('is refused with its path and what to do when it is %j', (text) => {
    writeFileSync(join(folder, 'jwt-secret'), text);
    expect(() => ownSecret(folder)).toThrow(
      /^STREAMSPACE_DATA_DIR=.*: .*\/jwt-secret is damaged \(\d characters, not 32 or more\); restore it .*, or delete it/,
    );
  });

  it('is refused when it is a folder', () => {
    mkdirSync(join(folder, 'jwt-secret'));
    expect(() => ownSecret(folder)).toThrow(
      /^STREAMSPACE_DATA_DIR=.*: .*jwt-secret must be a regular file; got a folder/,
    );
  });
});

describe('a database that is damaged', () => {
  it('is named in one line, with what to do', { timeout: 30_000 }, async () => {
    mkdirSync(join(folder, 'db'));
    writeFileSync(join(folder, 'db', 'PG_VERSION'), '17\n');
    const child = spawn(
      process.execPath,
      [
        '--conditions=@streamspace/source',
        '--import',
        'tsx',
        fileURLToPath(new URL('../src/main.ts', import.meta.url)),
      ],
      {
        env: { PATH: process.env['PATH'], PORT: '0', STREAMSPACE_DATA_DIR: folder },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    const output: string[] = [];
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => output.push(text));
    const [code] = (await once(child, 'close')) as [number | null];
    expect(code, output.join('')).toBe(1);
    const lines = output.join('').trim().split('\n');
    expect(lines).toEqual([
      expect.stringMatching(/^INFO: Data folder: /),
      expect.stringMatching(
        /^ERROR: STREAMSPACE_DATA_DIR=.*: the database in .*\/db cannot be opened; restore that folder from a backup, or move it away/,
      ),
    ]);
  });
});
