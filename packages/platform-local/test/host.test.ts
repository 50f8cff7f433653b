import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { chmod, lstat, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { endProcesses } from '../src/host/end-processes.js';
import { findProgram } from '../src/host/find-program.js';
import { ownFolder } from '../src/host/own-folder.js';
import { openPlain } from '../src/host/plain-file.js';
import { belongsTo, identify, isAlive, type ProcessId } from '../src/host/processes.js';
import { findSession, withoutEnded } from '../src/host/session-processes.js';
import { writeAuthority } from '../src/x/authority.js';
import { launch } from '../src/x/launch.js';
import { endOfLog, openLog, shortenLog } from '../src/x/session-log.js';
import { temporaryFolder, until } from './support.js';

const marks = (platformId: string, sessionId: string) => ({
  STREAMSPACE_PLATFORM_ID: platformId,
  STREAMSPACE_SESSION_ID: sessionId,
});

function run(platformId: string, sessionId: string, script = 'sleep 60') {
  return spawn('/bin/sh', ['-c', script], {
    env: marks(platformId, sessionId),
    stdio: 'ignore',
    detached: true,
  });
}

describe('Processes', () => {
  it('are found by their marks, and known by when they were started', async () => {
    const child = run('platform-a', 'one', 'exec sleep 60');
    const other = run('platform-a-b', 'one', 'exec sleep 60');
    await until(async () => (await findSession('platform-a', 'one')).processes.length === 1);
    const [id] = (await findSession('platform-a', 'one')).processes;
    expect(id?.pid).toBe(child.pid);
    expect((await findSession('platform-a-b', 'one')).processes.map(({ pid }) => pid)).toEqual([other.pid]);
    expect(await isAlive(id!)).toBe(true);
    expect(await isAlive({ ...id!, startedAt: id!.startedAt + 1 })).toBe(false);
    expect(await belongsTo(id!, 'platform-a', 'one')).toBe(true);
    expect(await belongsTo(id!, 'platform-a', 'two')).toBe(false);
    expect(await belongsTo({ ...id!, startedAt: 1 }, 'platform-a', 'one')).toBe(false);
    for (const one of [child, other]) {
      const gone = once(one, 'exit');
      one.kill('SIGKILL');
      await gone;
    }
    expect(await identify(child.pid!)).toBeUndefined();
  });

  it('are asked to end, and killed when they do not, with all that they start meanwhile', async () => {
    const child = run('platform-c', 'one', `trap 'sleep 50 & sleep 50 &' TERM; while :; do sleep 0.1; done`);
    const find = (): ReturnType<typeof findSession> => findSession('platform-c', 'one');
    await until(async () => (await find()).processes.length === 2);
    const ended = await endProcesses(find, 200);
    expect(ended.map(({ pid }) => pid)).toContain(child.pid);
    expect((await find()).processes).toEqual([]);
  });

  const unmarked = [
    ['has a clean environment', 'exec env -i sleep 60'],
    ['has overwritten its environment', `exec perl -e '$0 = "x" x 500; sleep 60'`],
    ['was left by its leader with a clean environment', 'env -i sleep 60 & sleep 0.1'],
    [
      'has a parent of ours alone',
      `exec env -i perl -MPOSIX -e 'if (!fork) { setsid(); sleep 60 } sleep 60'`,
    ],
  ] as const;
  it.each(unmarked)('are found where one %s', async (_, script) => {
    const child = run('platform-d', 'one', script);
    const root = (await identify(child.pid!))!;
    const seen = async (): Promise<ProcessId[]> => [
      ...(await findSession('platform-d', 'one', [root])).processes,
    ];
    // The shell itself is seen by its mark; the mark is gone once the script has got to where it is to be.
    await until(async () => (await findSession('platform-d', 'one')).processes.length === 0);
    expect(await seen()).not.toEqual([]);
    await endProcesses(() => findSession('platform-d', 'one', [root]), 100);
    expect(await seen()).toEqual([]);
  });

  it('are not found by a number that is somebody else’s by now', async () => {
    const child = run('platform-e', 'another', 'exec env -i sleep 60');
    const root = (await identify(child.pid!))!;
    await until(async () => (await findSession('platform-e', 'another')).processes.length === 0);
    const before = { ...root, startedAt: root.startedAt - 1 };
    expect((await findSession('platform-e', 'one', [before])).processes).toEqual([]);
    await endProcesses(() => findSession('platform-e', 'one', [root]), 100);
  });

  it('are written down no longer than their numbers mean them', () => {
    const entry = { startedAt: 5, parent: 1, group: 1, isZombie: false };
    const processes = [
      { ...entry, pid: 10, session: 10 },
      { ...entry, pid: 21, session: 20 },
      { ...entry, pid: 30, session: 30, startedAt: 9 },
    ];
    const roots = [10, 20, 30, 40].map((pid) => ({ pid, startedAt: 5 }));
    const left = withoutEnded({ processes, isComplete: true }, roots);
    expect(left.map(({ pid }) => pid)).toEqual([10, 20]);
  });

  it('end for good where one starts its successor and ends, all the time', async () => {
    const restless = `exec perl -e '$SIG{TERM} = "IGNORE"; $SIG{CHLD} = "IGNORE"; while (1) { exit if fork; select(undef, undef, undef, 0.01) }'`;
    const child = run('platform-f', 'one', restless);
    // It may have ended by now: its number is what counts.
    const root = { pid: child.pid!, startedAt: 0 };
    const find = (): ReturnType<typeof findSession> => findSession('platform-f', 'one', [root]);
    if (child.exitCode === null) await once(child, 'exit');
    await endProcesses(find, 100);
    for (let look = 0; look < 10; look++) expect((await find()).processes).toEqual([]);
  });

  it('are looked for again when a look finds nothing', async () => {
    const nothing = { processes: [], groups: [], isComplete: true };
    let looks = 0;
    await endProcesses(() => Promise.resolve((looks++, nothing)), 100);
    expect(looks).toBe(2);
    looks = 0;
    await endProcesses(() => Promise.resolve((looks++, { ...nothing, isComplete: false })), 100);
    expect(looks).toBe(8);
  });
});

describe('Programs', () => {
  it('are found by a name or an absolute path alone', () => {
    expect(findProgram('sh')).toMatch(/\/sh$/);
    expect(findProgram('/bin/sh')).toBe('/bin/sh');
    expect(findProgram('../bin/sh')).toBeUndefined();
    expect(findProgram('../../usr/bin/sleep')).toBeUndefined();
  });

  it('are refused for good where their arguments are more than the kernel takes', async () => {
    const folder = await temporaryFolder();
    const log = await openLog(join(folder, 'log'));
    const place = { environment: {}, cwd: folder, log, setUp: '' };
    const note = (): Promise<void> => Promise.resolve();
    await expect(launch(['true', 'x'.repeat(2 ** 20)], place, note)).rejects.toMatchObject({
      code: 'invalid_command',
      shouldRetry: false,
    });
    await log.close();
  });

  it('do not begin before they are written down', async () => {
    const folder = await temporaryFolder();
    const log = await openLog(join(folder, 'log'));
    const place = { environment: {}, cwd: folder, log, setUp: '' };
    let noted: ProcessId | undefined;
    const refuse = (id: ProcessId): Promise<void> => {
      noted = id;
      return Promise.reject(new Error('no room'));
    };
    await expect(launch(['/usr/bin/touch', 'begun'], place, refuse)).rejects.toThrow('no room');
    await until(async () => !(await isAlive(noted!)));
    const { child } = await launch(['/usr/bin/touch', 'begun-2'], place, () => Promise.resolve());
    await once(child, 'exit');
    expect((await readdir(folder)).sort()).toEqual(['begun-2', 'log']);
    await log.close();
  });
});

describe("A session's files", () => {
  it('are opened neither through a link nor at a pipe', async () => {
    const folder = await temporaryFolder();
    const victim = join(folder, 'victim');
    await writeFile(victim, 'text '.repeat(100));
    const log = join(folder, 'log');
    await symlink(victim, log);
    await shortenLog(log, 10);
    expect(await endOfLog(log)).toBe('');
    await (await openLog(log)).close();
    expect((await lstat(log)).isFile()).toBe(true);
    expect((await stat(victim)).size).toBe(500);
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    await expect(openPlain(pipe, constants.O_RDONLY)).rejects.toThrow('a pipe');
    await expect(openPlain(pipe, constants.O_WRONLY)).rejects.toThrow('a pipe');
    expect(await endOfLog(pipe)).toBe('');
  });

  it('are sockets in a folder that nobody else can write to', async () => {
    const folder = join(await temporaryFolder(), 'vnc');
    await ownFolder(folder);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    await ownFolder(folder);
    await chmod(folder, 0o770);
    await expect(ownFolder(folder)).rejects.toMatchObject({
      code: 'platform_unavailable',
      message: expect.stringContaining('has mode 770; allowed is a folder of user'),
    });
  });

  it('are a log that loses its older half', async () => {
    const path = join(await temporaryFolder(), 'log');
    await writeFile(path, 'old '.repeat(100) + 'new '.repeat(100));
    await shortenLog(path, 1_000);
    expect((await stat(path)).size).toBe(800);
    await shortenLog(path, 600);
    expect(await readFile(path, 'utf8')).toBe('new '.repeat(75));
    expect(await endOfLog(path, 8)).toBe('new new');
    expect(await endOfLog(`${path}-missing`)).toBe('');
    await shortenLog(`${path}-missing`, 10);
  });

  it('are a cookie that no other session has', async () => {
    const folder = await temporaryFolder();
    const cookies = [await writeAuthority(join(folder, 'a')), await writeAuthority(join(folder, 'b'))];
    expect(cookies[0]).toHaveLength(16);
    expect(cookies[0]).not.toEqual(cookies[1]);
    const bytes = await readFile(join(folder, 'a'));
    const expected = Buffer.from(
      'ffff00000000' + '0012' + Buffer.from('MIT-MAGIC-COOKIE-1').toString('hex') + '0010',
      'hex',
    );
    expect(bytes).toEqual(Buffer.concat([expected, cookies[0]!]));
    expect((await stat(join(folder, 'a'))).mode & 0o777).toBe(0o600);
  });
});
