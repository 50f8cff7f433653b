import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { KeptFile } from '../src/kept-file.js';
import { temporaryFolder, until } from './support.js';

describe('A kept file', () => {
  it('is written whole, some time after each change, and leaves no other file', async () => {
    const folder = await temporaryFolder();
    let text = 'one';
    const file = new KeptFile(
      join(folder, 'kept'),
      () => Buffer.from(text),
      (error) => expect.fail(String(error)),
    );
    file.touch();
    text = 'two';
    const contents = () => readFile(join(folder, 'kept'), 'utf8').catch(() => '');
    await until(async () => (await contents()) === 'two');
    text = 'three';
    file.touch();
    await until(async () => (await contents()) === 'three');
    expect(await readdir(folder)).toEqual(['kept']);
    await file.flush();
  });

  it('is up to date after a flush, also where it changes while it is written', async () => {
    const folder = await temporaryFolder();
    let versions = 0;
    const file: KeptFile = new KeptFile(
      join(folder, 'kept'),
      () => {
        versions += 1;
        if (versions < 3) file.touch();
        return Buffer.from(`version ${versions}`);
      },
      (error) => expect.fail(String(error)),
    );
    file.touch();
    await file.flush();
    expect(await readFile(join(folder, 'kept'), 'utf8')).toBe('version 3');
    await file.flush();
    expect(versions).toBe(3);
  });

  it('reports a write that fails, and tries again at the next change', async () => {
    const folder = await temporaryFolder();
    const onError = vi.fn();
    const file = new KeptFile(join(folder, 'missing', 'kept'), () => Buffer.from('x'), onError);
    file.touch();
    await file.flush();
    expect(onError).toHaveBeenCalledWith(expect.objectContaining({ code: 'ENOENT' }));
    file.touch();
    await file.flush();
    expect(onError).toHaveBeenCalledTimes(2);
  });
});
