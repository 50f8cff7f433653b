import { beforeEach, describe, expect, it } from 'vitest';
import { FreeSpace } from '../src/free-space.js';
import { formatSize, parseSize } from '../src/size.js';

const MB = 2 ** 20;

describe('FreeSpace', () => {
  let free: number | Error | 'never';
  let freeForDatabase: number;
  let reads: number;
  let clock: number;
  let lines: string[];
  beforeEach(() => {
    free = 300 * MB;
    freeForDatabase = Infinity;
    reads = 0;
    clock = 0;
    lines = [];
  });

  const watch = (floorBytes = 256 * MB) =>
    new FreeSpace({
      folders: ['/data', '/data/db'],
      floorBytes,
      log: { info: (text) => lines.push(`INFO: ${text}`), warn: (text) => lines.push(`WARN: ${text}`) },
      statfs: async (folder) => {
        reads += 1;
        if (free instanceof Error) throw free;
        if (free === 'never') return new Promise(() => undefined);
        const bytes = folder === '/data/db' ? Math.min(free, freeForDatabase) : free;
        return { bavail: bytes / 4_096, bsize: 4_096 };
      },
      answerMs: 20,
      now: () => clock,
    });

  it('is short below the floor, names folder and figures, and logs each change once', async () => {
    const space = watch();
    expect(await space.shortage()).toBeUndefined();
    const later = async () => {
      clock += 1_000;
      return space.shortage();
    };
    free = 255 * MB;
    expect(await later()).toEqual({
      detail: 'The data folder /data has too little free space (255 MB free, MIN_FREE_SPACE is 256 MB).',
      remedy: 'Free space in /data, for example by stopping desktops and deleting files, then try again.',
    });
    await later();
    free = 256 * MB;
    expect(await later()).toBeUndefined();
    await later();
    expect(lines).toEqual([
      'WARN: Too little space in /data (255 MB free, MIN_FREE_SPACE is 256 MB): nothing new is stored until some is freed',
      'INFO: Enough space in /data again (256 MB free, MIN_FREE_SPACE is 256 MB)',
    ]);
  });

  it('reads each file system once per second, however often it is asked', async () => {
    const space = watch();
    await Promise.all(Array.from({ length: 100 }, () => space.shortage()));
    clock = 999;
    await space.shortage();
    expect(reads).toBe(2);
    clock = 1_000;
    await space.shortage();
    expect(reads).toBe(4);
  });

  it('is never short with a floor of 0, and reads nothing', async () => {
    free = 0;
    expect(await watch(0).shortage()).toBeUndefined();
    expect(reads).toBe(0);
  });

  it('is not short where free space cannot be read, and says so once', async () => {
    const space = watch();
    free = Object.assign(new Error('not implemented'), { code: 'ENOSYS' });
    for (let n = 0; n < 3; n++) {
      expect(await space.shortage()).toBeUndefined();
      clock += 1_000;
    }
    expect(lines).toEqual([
      'WARN: Free space of /data and /data/db cannot be read: not implemented (ENOSYS)',
    ]);
  });

  it('names the folder that has the least, where the database lies on another file system', async () => {
    freeForDatabase = 10 * MB;
    expect((await watch().shortage())?.detail).toBe(
      'The data folder /data/db has too little free space (10 MB free, MIN_FREE_SPACE is 256 MB).',
    );
  });

  it('is not short where the file system does not answer, asks it no second time meanwhile, and says so once', async () => {
    const space = watch();
    free = 'never';
    for (let n = 0; n < 3; n++) {
      expect(await space.shortage()).toBeUndefined();
      clock += 1_000;
    }
    expect(reads).toBe(1);
    expect(lines).toEqual(['WARN: Free space of /data and /data/db cannot be read: no answer']);
  });
});

describe('parseSize', () => {
  it.each([
    ['0', 0],
    ['256MB', 256 * MB],
    ['1.5gb', 1536 * MB],
    ['16KB', 16_384],
    ['256', undefined],
    ['-1MB', undefined],
    ['', undefined],
    ['1 MB', undefined],
  ])('reads %j as %s', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });
});

describe('formatSize', () => {
  it.each([
    [0, '0 KB'],
    [512 * 1_024, '512 KB'],
    [12.3 * MB, '12.3 MB'],
    [2 ** 31, '2 GB'],
  ])('writes %d bytes as %s', (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });
});
