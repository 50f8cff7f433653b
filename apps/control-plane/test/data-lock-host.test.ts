import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { lockDataFolder } from '../src/data-lock.js';
import type * as LockFolder from '../src/early/lock-folder.mjs';

const failure = vi.hoisted(() => ({ code: '' }));
vi.mock('../src/early/lock-folder.mjs', async (original) => ({
  ...(await original<typeof LockFolder>()),
  takeLockFolder: () =>
    Promise.reject(Object.assign(new Error(`${failure.code}: injected, mkdir`), { code: failure.code })),
}));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'streamspace-lock-host-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it.each([
  ['ENOSPC', 'no space left on device (ENOSPC); free space there, then start again'],
  ['EDQUOT', '(EDQUOT); raise the quota or free space there, then start again'],
  ['EROFS', 'read-only file system (EROFS); make that file system writable'],
  ['EIO', 'i/o error (EIO); check the disk and the kernel log'],
])('a lock that meets %s is refused with the folder, the cause and what to do', async (code, words) => {
  failure.code = code;
  const refusal: unknown = await lockDataFolder(folder).catch((error: unknown) => error);
  expect(refusal).toMatchObject({ name: 'ConfigError' });
  expect(String(refusal)).toContain(`${folder}: cannot be locked: `);
  expect(String(refusal)).toContain(words);
});
