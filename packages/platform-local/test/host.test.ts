import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { endProcesses } from '../src/host/end-processes.js';
import { belongsTo, findProcesses, findSession, identify, isAlive } from '../src/host/processes.js';
import { writeAuthority } from '../src/x/authority.js';
import { endOfLog, shortenLog } from '../src/x/session-log.js';
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
    await until(async () => (await findSession('platform-a', 'one')).length === 1);
    const [id] = await findSession('platform-a', 'one');
    expect(id?.pid).toBe(child.pid);
    expect([...(await findProcesses('platform-a-b')).keys()]).toEqual(['one']);
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
    await until(async () => (await find()).length === 2);
    const ended = await endProcesses(find, 200);
    expect(ended.map(({ pid }) => pid)).toContain(child.pid);
    expect(await find()).toEqual([]);
  });
});

describe("A session's files", () => {
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
