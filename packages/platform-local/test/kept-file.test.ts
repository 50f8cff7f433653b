import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { KeptFile, type KeptFileEvents } from '../src/kept-file.js';
import { temporaryFolder, until } from './support.js';

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Of a file that must not fail. */
const failing: KeptFileEvents = { failed: (error) => expect.fail(String(error)), saved: () => undefined };

/** A file in a folder that is not there yet, and what was heard of it. */
async function homeless() {
  const folder = join(await temporaryFolder(), 'missing');
  const heard: string[] = [];
  const file = new KeptFile(join(folder, 'kept'), () => Buffer.from('kept'), {
    failed: (error) => heard.push((error as NodeJS.ErrnoException).code ?? ''),
    saved: () => heard.push('saved'),
  });
  const contents = () => readFile(join(folder, 'kept'), 'utf8');
  return { file, heard, contents, giveItOne: () => mkdir(folder) };
}

describe('A kept file', () => {
  it('is written whole, some time after each change, and leaves no other file', async () => {
    const folder = await temporaryFolder();
    let text = 'one';
    const file = new KeptFile(join(folder, 'kept'), () => Buffer.from(text), failing);
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
      failing,
    );
    file.touch();
    await file.flush();
    expect(await readFile(join(folder, 'kept'), 'utf8')).toBe('version 3');
    await file.flush();
    expect(versions).toBe(3);
  });

  it('tries again by itself after a write that failed', async () => {
    const { file, heard, contents, giveItOne } = await homeless();
    file.touch();
    await until(() => heard.length === 1);
    await giveItOne();
    await until(() => heard.length === 2);
    expect(heard).toEqual(['ENOENT', 'saved']);
    expect(await contents()).toBe('kept');
  });

  it('writes in a flush what could not be written before it', async () => {
    const { file, heard, contents, giveItOne } = await homeless();
    file.touch();
    await until(() => heard.length === 1);
    await giveItOne();
    await file.flush();
    expect(heard).toEqual(['ENOENT', 'saved']);
    expect(await contents()).toBe('kept');
  });

  it('makes an attempt of its own in a flush that finds one under way', async () => {
    const folder = await temporaryFolder();
    const heard: string[] = [];
    let second: Promise<void> | undefined;
    const contents = async () => {
      await Promise.resolve();
      if (second) return Buffer.from('kept');
      second = file.flush();
      throw new Error('the first attempt fails');
    };
    const file: KeptFile = new KeptFile(join(folder, 'kept'), contents, {
      failed: (error) => heard.push(String(error)),
      saved: () => heard.push('saved'),
    });
    file.touch();
    await file.flush();
    await second;
    expect(heard).toEqual(['Error: the first attempt fails', 'saved']);
    expect(await readFile(join(folder, 'kept'), 'utf8')).toBe('kept');
  });

  it('reports a flush that fails, and leaves no timer behind', async () => {
    const { file, heard, contents, giveItOne } = await homeless();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    file.touch();
    vi.runOnlyPendingTimers();
    await vi.waitUntil(() => vi.getTimerCount() === 1);
    await file.flush();
    expect(heard).toEqual(['ENOENT', 'ENOENT']);
    expect(vi.getTimerCount()).toBe(0);
    await giveItOne();
    file.touch();
    await file.flush();
    expect(await contents()).toBe('kept');
  });

  it('waits longer after each failure, whatever changes meanwhile, and not for ever', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const delays = vi.spyOn(globalThis, 'setTimeout');
    const { file, heard } = await homeless();
    file.touch();
    for (let failures = 1; failures <= 9; failures++) {
      vi.runOnlyPendingTimers();
      await vi.waitUntil(() => vi.getTimerCount() === 1 && heard.length === failures);
      file.touch();
    }
    expect(delays.mock.calls.map(([, delay]) => delay)).toEqual([
      150, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000,
    ]);
    await file.flush();
  });
});
