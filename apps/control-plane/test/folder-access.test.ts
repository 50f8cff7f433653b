import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeToOthers } from '../src/data-lock.js';
import { judgeFolder, privateFolder, protectFolder } from '../src/early/folder-access.mjs';
import { checkDataFolder } from '../src/early/place.mjs';
import { ownSecret } from '../src/embedded.js';

const isRoot = process.getuid?.() === 0;
const ME = { uid: 1000, gids: [1000, 2000] };
const OURS = ['db', 'lock', 'homes', 'secrets'];

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'streamspace-access-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const refuse = (problem: string): never => {
  throw new Error(problem);
};
const modeOf = (path: string): number => statSync(path).mode & 0o7777;

describe('a data folder that is there', () => {
  const cases: [string, { uid: number; gid: number; mode: number }, string[], string[], string][] = [
    ['of this user, closed', { uid: 1000, gid: 1000, mode: 0o700 }, OURS, [], 'accept'],
    ['of this user, readable by others', { uid: 1000, gid: 1000, mode: 0o755 }, OURS, [], 'tighten'],
    ['of this user, empty and writable by all', { uid: 1000, gid: 1000, mode: 0o777 }, [], [], 'tighten'],
    [
      'of this user, with other files, readable',
      { uid: 1000, gid: 1000, mode: 0o755 },
      ['x', 'db'],
      [],
      'accept',
    ],
    [
      'of this user, with other files, writable by its group',
      { uid: 1000, gid: 1000, mode: 0o775 },
      ['x'],
      [],
      'refuse',
    ],
    [
      'of this user, with other files, writable by all, sticky',
      { uid: 1000, gid: 1000, mode: 0o1777 },
      ['x'],
      [],
      'accept',
    ],
    ['of root, not writable by others', { uid: 0, gid: 0, mode: 0o755 }, OURS, [], 'accept'],
    ['of root, as a volume with fsGroup', { uid: 0, gid: 2000, mode: 0o2775 }, OURS, [], 'accept'],
    [
      'of root, writable by a group of this user and others',
      { uid: 0, gid: 2000, mode: 0o2775 },
      OURS,
      ['bob'],
      'refuse',
    ],
    ['of root, writable by a group of others', { uid: 0, gid: 3000, mode: 0o2775 }, OURS, [], 'refuse'],
    ['of root, writable by all', { uid: 0, gid: 0, mode: 0o777 }, OURS, [], 'refuse'],
    ['of root, writable by all, sticky', { uid: 0, gid: 0, mode: 0o1777 }, OURS, [], 'accept'],
    ['of another user', { uid: 1001, gid: 1000, mode: 0o755 }, OURS, [], 'refuse'],
    ['of another user, sticky', { uid: 1001, gid: 1000, mode: 0o1777 }, OURS, [], 'refuse'],
  ];
  it.each(cases)('%s', (_, stats, names, others, verdict) => {
    expect(judgeFolder(stats, names, ME, () => others)).toBe(verdict);
  });

  it('is root’s own where root runs this', () => {
    const stats = { uid: 0, gid: 0, mode: 0o755 };
    expect(judgeFolder(stats, OURS, { uid: 0, gids: [0] }, () => [])).toBe('tighten');
    expect(judgeFolder({ ...stats, uid: 1000 }, OURS, { uid: 0, gids: [0] }, () => [])).toBe('refuse');
  });

  it.each([0o755, 0o777, 0o2775])('with mode %o is closed', (mode) => {
    chmodSync(folder, mode);
    checkDataFolder(folder);
    expect(modeOf(folder) & 0o777).toBe(0o700);
  });

  it('is closed where a link leads to it', () => {
    const real = join(folder, 'real');
    mkdirSync(real);
    chmodSync(real, 0o755);
    symlinkSync(real, join(folder, 'link'));
    checkDataFolder(join(folder, 'link'));
    expect(modeOf(real)).toBe(0o700);
  });

  it('is left as it is where there are no users and modes', () => {
    chmodSync(folder, 0o755);
    protectFolder(folder, refuse, null);
    privateFolder(folder, refuse, null);
    expect(modeOf(folder)).toBe(0o755);
  });

  it('is refused by its owner, group and mode, and with what to run', () => {
    chmodSync(folder, 0o777);
    const { uid, gid } = statSync(folder);
    expect(() => protectFolder(folder, refuse, { uid: uid + 1, gids: [gid] })).toThrow(
      `other users can replace what is in it (owner ${uid}, group ${gid}, mode 0777); run: chown ${uid + 1} '${folder}' && chmod 700 '${folder}', or choose another folder`,
    );
    expect(modeOf(folder)).toBe(0o777);
  });

  it.runIf(isRoot)('of another user is refused in one line with the variable’s name', () => {
    chownSync(folder, 65_534, 65_534);
    expect(() => checkDataFolder(folder)).toThrow(
      /^STREAMSPACE_DATA_DIR=.*: other users can replace what is in it \(owner 65534, group 65534, mode 0700\); run: chown 0 .*$/,
    );
  });
});

describe('folders of the embedded mode', () => {
  it('are made for this user alone, and closed where they are there', () => {
    for (const name of ['db', 'homes', 'sessions', 'vnc']) {
      mkdirSync(join(folder, name));
      chmodSync(join(folder, name), 0o2770);
    }
    closeToOthers(folder);
    for (const name of ['db', 'secrets', 'homes', 'sessions', 'vnc'])
      expect(modeOf(join(folder, name)), name).toBe(0o700);
  });

  it('may be links of this user’s', () => {
    mkdirSync(join(folder, 'disk'));
    chmodSync(join(folder, 'disk'), 0o755);
    symlinkSync(join(folder, 'disk'), join(folder, 'db'));
    privateFolder(join(folder, 'db'), refuse);
    expect(modeOf(join(folder, 'disk'))).toBe(0o700);
  });

  it.runIf(isRoot)('are refused where they are another user’s, or a link of another user’s', () => {
    const path = join(folder, 'db');
    mkdirSync(path);
    chownSync(path, 65_534, 65_534);
    expect(() => closeToOthers(folder)).toThrow(
      /^STREAMSPACE_DATA_DIR=.*: .*\/db belongs to another user \(owner 65534, group 65534, mode 0\d+\); run: chown -R 0 '.*\/db'/,
    );
    rmSync(path, { recursive: true });
    mkdirSync(join(folder, 'other'));
    execFileSync('ln', ['-s', join(folder, 'other'), path]);
    execFileSync('chown', ['-h', '65534:65534', path]);
    expect(() => closeToOthers(folder)).toThrow(/db belongs to another user/);
  });
});

describe('secrets of an earlier version', () => {
  const secret = 'a-secret-of-an-earlier-version-0123456789';

  it('are moved into their folder, and none is made in their place', () => {
    writeFileSync(join(folder, 'jwt-secret'), `${secret}\n`);
    writeFileSync(join(folder, 'agent-key'), 'key\n');
    closeToOthers(folder);
    expect(ownSecret(folder)).toBe(secret);
    expect(readFileSync(join(folder, 'secrets', 'agent-key'), 'utf8')).toBe('key\n');
    expect(['jwt-secret', 'agent-key'].filter((name) => existsSync(join(folder, name)))).toEqual([]);
  });

  it('are found in either place after a start that was cut short', () => {
    writeFileSync(join(folder, 'jwt-secret'), `${secret}\n`);
    // The folder was made and nothing was moved.
    mkdirSync(join(folder, 'secrets'));
    expect(ownSecret(folder)).toBe(secret);
    expect(ownSecret(folder)).toBe(secret);
  });

  it('do not replace what is in the folder, and are kept', () => {
    const own = ownSecret(folder);
    writeFileSync(join(folder, 'jwt-secret'), `${secret}\n`);
    closeToOthers(folder);
    expect(ownSecret(folder)).toBe(own);
    expect(readFileSync(join(folder, 'jwt-secret'), 'utf8')).toBe(`${secret}\n`);
  });
});
