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
import {
  judgeFolder,
  othersInGroup,
  privateFolder,
  privateFolderOrVolume,
  protectFolder,
} from '../src/early/folder-access.mjs';
import { checkDataFolder } from '../src/early/place.mjs';
import { ownSecret } from '../src/embedded.js';
import { secretPath, writeSecretFile } from '../src/secret-file.js';

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
      'of this user, with other files, writable by the private group of this user',
      { uid: 1000, gid: 1000, mode: 0o775 },
      ['x'],
      [],
      'accept',
    ],
    [
      'of this user, with other files, writable by a group of this user and others',
      { uid: 1000, gid: 2000, mode: 0o775 },
      ['x'],
      ['bob'],
      'refuse',
    ],
    [
      'of this user, with other files, writable by a group of others',
      { uid: 1000, gid: 3000, mode: 0o775 },
      ['x'],
      [],
      'refuse',
    ],
    [
      'of this user, with other files, writable by all',
      { uid: 1000, gid: 1000, mode: 0o777 },
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

describe('the other users in a group', () => {
  const PASSWD = [
    'root:x:0:0:root:/root:/bin/bash',
    'sync:x:5:0:sync:/sbin:/bin/sync',
    'halt:x:7:0:halt:/sbin:/sbin/halt',
    'shutdown:x:6:0:shutdown:/sbin:/sbin/shutdown',
    'operator:x:11:0:operator:/root:/usr/sbin/nologin',
    'ada:x:1000:1000::/home/ada:/bin/bash',
    'bob:x:1001:1001::/home/bob:',
    'mail:x:8:2000::/var/mail:/bin/false',
  ];
  const GROUP = ['root:x:0:', 'ada:x:1000:', 'desk:x:2000:ada,bob,mail,eve', 'closed:x:3000:mail'];

  const cases: [number, string[]][] = [
    [0, []],
    [1000, []],
    [1001, ['bob']],
    // One that only a directory service knows counts.
    [2000, ['bob', 'eve']],
    [3000, []],
    [4000, []],
  ];
  it.each(cases)('of group %i are those who can log in', (gid, names) => {
    const files = { passwd: join(folder, 'passwd'), group: join(folder, 'group') };
    writeFileSync(files.passwd, PASSWD.join('\n'));
    writeFileSync(files.group, GROUP.join('\n'));
    expect(othersInGroup(gid, 1000, files)).toEqual(names);
  });
});

describe('folders of the embedded mode', () => {
  it('are named where they are those of sessions and were open', () => {
    for (const name of ['db', 'homes', 'vnc']) mkdirSync(join(folder, name));
    chmodSync(join(folder, 'db'), 0o755);
    chmodSync(join(folder, 'homes'), 0o755);
    chmodSync(join(folder, 'vnc'), 0o700);
    expect(closeToOthers(folder)).toEqual(['homes']);
    expect(closeToOthers(folder)).toEqual([]);
  });

  /** Runs `closeToOthers` as user 1234 of group 56789, on a data folder of that user. */
  function closeAsUser(): string {
    chownSync(folder, 1234, 56_789);
    const module = new URL('../src/data-lock.ts', import.meta.url).href;
    const code = `const { closeToOthers } = await import(${JSON.stringify(module)});
      process.setgroups([56789]); process.setgid(56789); process.setuid(1234);
      try { console.log(JSON.stringify(closeToOthers(${JSON.stringify(folder)}))); }
      catch (error) { console.log(error.message); }`;
    const args = ['--conditions=@streamspace/source', '--import', 'tsx', '--input-type=module', '-e', code];
    return execFileSync(process.execPath, args, { encoding: 'utf8' }).trim();
  }
  const SESSION_FOLDERS = ['homes', 'sessions', 'vnc'];

  /** As Kubernetes mounts it: of root and the pod's group, which may write. */
  function mountVolume(name: string, mode: number): string {
    const path = join(folder, name);
    mkdirSync(path);
    chownSync(path, 0, 56_789);
    chmodSync(path, mode);
    return path;
  }

  it.runIf(isRoot)('may be volumes of root’s, where they are those of sessions', () => {
    for (const name of SESSION_FOLDERS) mountVolume(name, 0o2775);
    expect(closeAsUser()).toBe('[]');
    for (const name of SESSION_FOLDERS) expect(modeOf(join(folder, name)), name).toBe(0o2775);
  });

  it.runIf(isRoot)('may not be volumes of root’s, where they are for the database or the secrets', () => {
    for (const name of ['db', 'secrets']) {
      const path = mountVolume(name, 0o2775);
      expect(closeAsUser()).toContain(`${path} belongs to another user (owner 0, group 56789, mode 2775)`);
      rmSync(path, { recursive: true });
    }
  });

  it.runIf(isRoot).each([0o777, 0o1777])('are refused as volumes with mode %o', (mode) => {
    const path = mountVolume('homes', mode);
    const shown = mode.toString(8).padStart(4, '0');
    expect(closeAsUser()).toBe(
      `STREAMSPACE_DATA_DIR=${folder}: other users can write to ${path} (owner 0, group 56789, mode ${shown}); ` +
        `run: chown 1234 '${path}' && chmod 700 '${path}', or mount a folder that no other user can write to`,
    );
  });

  it.runIf(isRoot)('are refused as volumes that a group of others can write to', () => {
    const path = mountVolume('homes', 0o2775);
    const strangers = { uid: 1234, gids: [1234] };
    expect(() => privateFolderOrVolume(path, refuse, strangers)).toThrow(/other users can write to .*homes/);
  });

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

  /** Where a secret may be: in the data folder, as earlier versions had it, or in its own one. */
  const PLACES = ['jwt-secret', 'agent-key', 'secrets/jwt-secret', 'secrets/agent-key'];
  const kept = (): string[] => PLACES.filter((name) => existsSync(join(folder, name)));

  it.runIf(isRoot).each(PLACES)('are refused as %s of another user, and stay there', (place) => {
    // The folder is writable for all before the first start.
    mkdirSync(join(folder, 'secrets'));
    for (const each of [folder, join(folder, 'secrets')]) chmodSync(each, 0o777);
    const path = join(folder, place);
    execFileSync('setpriv', [
      ...['--reuid=65534', '--regid=65534', '--clear-groups'],
      ...['sh', '-c', 'umask 022 && echo "$1" > "$2"', 'sh', secret, path],
    ]);
    checkDataFolder(folder);
    const message =
      `STREAMSPACE_DATA_DIR=${folder}: ${path} must be a file that only this user or root can write to; ` +
      `got owner 65534, group 65534, mode 0644; if you put it there, run: chown 0 '${path}' && chmod 600 '${path}'; ` +
      'otherwise delete it and a new one is made';
    expect(() => closeToOthers(folder)).toThrow(message);
    if (place.endsWith('jwt-secret')) expect(() => ownSecret(folder)).toThrow(message);
    expect(kept()).toEqual([place]);
    rmSync(path);
    closeToOthers(folder);
    expect(ownSecret(folder)).not.toBe(secret);
  });

  it.each(PLACES)('are refused as %s where all can write to it', (place) => {
    mkdirSync(join(folder, 'secrets'));
    writeFileSync(join(folder, place), `${secret}\n`);
    chmodSync(join(folder, place), 0o602);
    expect(() => closeToOthers(folder)).toThrow(
      / must be a file that only .* mode 0602; if you put it there/,
    );
    expect(kept()).toEqual([place]);
  });

  it.each(PLACES)('are refused as %s where that is a link or a folder', (place) => {
    mkdirSync(join(folder, 'secrets'));
    writeFileSync(join(folder, 'known'), `${secret}\n`, { mode: 0o600 });
    for (const target of ['known', 'missing']) {
      symlinkSync(join(folder, target), join(folder, place));
      expect(() => closeToOthers(folder)).toThrow(
        ` ${join(folder, place)} must be a regular file; got a link`,
      );
      rmSync(join(folder, place));
    }
    mkdirSync(join(folder, place));
    expect(() => closeToOthers(folder)).toThrow(
      `${join(folder, place)} must be a regular file; got a folder`,
    );
    expect(kept()).toEqual([place]);
  });

  it.each(PLACES)('are read as %s with the mode that a volume’s group gives it, and closed', (place) => {
    mkdirSync(join(folder, 'secrets'));
    writeFileSync(join(folder, place), `${secret}\n`);
    const { uid, gid } = statSync(join(folder, place));
    const others = othersInGroup(gid, uid);
    chmodSync(join(folder, place), others.length === 0 ? 0o660 : 0o640);
    closeToOthers(folder);
    const name = place.endsWith('jwt-secret') ? 'jwt-secret' : 'agent-key';
    expect(modeOf(join(folder, 'secrets', name))).toBe(0o600);
    expect(readFileSync(secretPath(folder, name), 'utf8')).toBe(`${secret}\n`);
  });

  it('are not written through a draft that another user has put there', () => {
    const path = secretPath(folder, 'jwt-secret');
    writeFileSync(join(folder, 'known'), '');
    symlinkSync(join(folder, 'known'), `${path}.new`);
    writeSecretFile(path, secret);
    expect(readFileSync(join(folder, 'known'), 'utf8')).toBe('');
    writeFileSync(`${path}.new`, '');
    chmodSync(`${path}.new`, 0o666);
    writeSecretFile(path, secret);
    expect(modeOf(path)).toBe(0o600);
    expect(ownSecret(folder)).toBe(secret);
  });
});
