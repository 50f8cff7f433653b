import { describe, expect, it } from 'vitest';
import { describeSegments, leftSegments, parseSegments } from '../../scripts/test/shared-memory.mjs';

const TABLE = `       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap
   2303395      32780   600                    56 27779 29407     10   101   104   101   104 1796040662 1796040662 1796040486                  4096                     0
         0         17  1600               1843200   412   413      0     0     0     0     0 1796040663 1796040662 1796040662                409600                     0
`;

const segment = { id: 1, bytes: 56, creator: 10, attached: 0, user: 1000 };
const alive = { isAlive: () => true, user: 1000 };
const gone = { isAlive: () => false, user: 1000 };

describe('the shared memory that a step of the tests leaves behind', () => {
  it('is read by the names in the first line of the kernel’s table', () => {
    expect(parseSegments(TABLE)).toEqual([
      { id: 32780, bytes: 56, creator: 27779, attached: 10, user: 101 },
      { id: 17, bytes: 1843200, creator: 412, attached: 0, user: 0 },
    ]);
    expect(parseSegments('')).toEqual([]);
    expect(parseSegments('cuid nattch cpid size shmid\n5 4 3 2 1\n')).toEqual([
      { id: 1, bytes: 2, creator: 3, attached: 4, user: 5 },
    ]);
  });

  it('is what nothing is attached to, or what the process that made it has left', () => {
    expect(leftSegments([], [segment], alive)).toEqual([segment]);
    expect(leftSegments([], [{ ...segment, attached: 1 }], gone)).toHaveLength(1);
    expect(leftSegments([], [{ ...segment, attached: 1 }], alive)).toEqual([]);
    // A creator in another PID namespace cannot be looked up.
    expect(leftSegments([], [{ ...segment, attached: 1, creator: 0 }], gone)).toEqual([]);
  });

  it('does not count what was there before, nor what is another user’s', () => {
    expect(leftSegments([segment], [segment], gone)).toEqual([]);
    expect(leftSegments([], [{ ...segment, user: 5 }], gone)).toEqual([]);
    // Root starts PostgreSQL as another user.
    expect(leftSegments([], [{ ...segment, user: 5 }], { ...gone, user: 0 })).toHaveLength(1);
  });

  it('is named by id, pid and bytes', () => {
    expect(describeSegments([segment])).toBe(
      '✗ shared memory was left behind: shmid 1, made by pid 10, 56 bytes, 0 attached (ipcrm -m 1 removes it)',
    );
  });
});
