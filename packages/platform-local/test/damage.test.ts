import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rmdir, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pid } from 'node:process';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { localPlatform, xDesktopTemplate } from '@streamspace/platform-local';
import { identify } from '../src/host/processes.js';
import { RecordStore } from '../src/record-store.js';
import { change, never, platform, spec, temporaryFolder, type, until, view } from './support.js';

afterEach(() => vi.restoreAllMocks());

const fullDisk = (): Error =>
  Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' });

/** Until `mockRestore`, no record can be written. */
const fillDisk = () =>
  vi.spyOn(RecordStore.prototype, 'write').mockImplementation(() => Promise.reject(fullDisk()));

async function recordOn(dataFolder: string): Promise<Record<string, unknown>> {
  const text = await readFile(join(dataFolder, 'sessions', 'one.json'), 'utf8');
  return JSON.parse(text) as Record<string, unknown>;
}

const recordOf = (sessionId: string, more: object = {}) => ({
  spec: spec(sessionId, more),
  ...{ generation: 1, commandId: 'command', wanted: 'running', settled: true },
});

describe('Records of sessions that cannot be', () => {
  it('keep no other session from coming back, and say why', async () => {
    const dataFolder = await temporaryFolder();
    const folder = join(dataFolder, 'sessions');
    await mkdir(join(folder, 'folder.json'), { recursive: true });
    const write = (id: string, record: object): Promise<void> =>
      writeFile(join(folder, `${id}.json`), JSON.stringify(record));
    await write('sound', recordOf('sound'));
    await write('small', recordOf('small', { screen: { width: 1, height: 1 } }));
    await write('asleep', {
      ...recordOf('asleep', { screen: { width: 1, height: 1 } }),
      wanted: 'hibernated',
    });
    await write('strange', recordOf('strange', { manifest: { spec: { baseImage: 7 } } }));
    await write('bare', recordOf('bare', { manifest: undefined }));
    await write('null', recordOf('null', { manifest: null }));
    await write('placed', { ...recordOf('placed'), x: { display: 'two' } });
    await write('end', { ...recordOf('end'), end: {} });
    execFileSync('mkfifo', [join(folder, 'pipe.json')]);
    const errors: string[] = [];
    const local = await platform({ dataFolder, onError: (error) => errors.push(String(error)) });
    const listed = await local.list(never);
    expect(
      Object.fromEntries(listed.map(({ sessionId, state, reason }) => [sessionId, [state, reason]])),
    ).toEqual({
      sound: ['running', undefined],
      small: ['failed', expect.stringContaining('the screen is 1x1; allowed are')],
      asleep: ['hibernated', expect.stringContaining('the screen is 1x1; allowed are')],
      strange: ['failed', expect.stringContaining('needs 7')],
    });
    const names = (await readdir(folder)).filter((name) => name.endsWith('.unreadable'));
    const aside = ['bare', 'end', 'folder', 'null', 'pipe', 'placed'];
    expect(names.sort()).toEqual(aside.map((name) => `${name}.json.unreadable`));
    expect(errors).toHaveLength(aside.length);
    for (const { sessionId } of listed) await local.stop(sessionId, change(), never);
    expect(await local.list(never)).toEqual([]);
  });

  it('are of X desktops where those are switched off', async () => {
    const dataFolder = await temporaryFolder();
    const folder = join(dataFolder, 'sessions');
    await mkdir(folder, { recursive: true });
    for (const [id, wanted] of [
      ['ran', 'running'],
      ['slept', 'hibernated'],
    ] as const) {
      const record = { ...recordOf(id, { template: 'x-desktop', manifest: xDesktopTemplate }), wanted };
      await writeFile(join(folder, `${id}.json`), JSON.stringify(record));
    }
    const local = await platform({ dataFolder, xDesktops: false });
    const reason = expect.stringMatching(/^X desktops are switched off/) as string;
    expect(await local.inspect('ran', never)).toMatchObject({ state: 'failed', reason });
    expect(await local.inspect('slept', never)).toMatchObject({ state: 'hibernated', reason });
    const refused = { code: 'template_unsupported', shouldRetry: false };
    await expect(local.wake('slept', change(), never)).rejects.toMatchObject(refused);
    await expect(local.wake('ran', change(), never)).rejects.toMatchObject(refused);
    const again = spec('ran', { manifest: xDesktopTemplate });
    await expect(local.start(again, change(), never)).rejects.toMatchObject(refused);
    expect(await local.inspect('slept', never)).toMatchObject({ state: 'hibernated' });
  });

  it('are left in part to whoever writes them, and go with a writer that is gone', async () => {
    const dataFolder = await temporaryFolder();
    const store = new RecordStore(dataFolder, () => undefined);
    await store.open();
    const alive = `a.json.${pid}-${(await identify(pid))!.startedAt}-abc.part`;
    for (const name of [alive, `b.json.${pid}-1-abc.part`]) await writeFile(join(store.folder, name), '{');
    await store.read();
    expect((await readdir(store.folder)).filter((name) => name.endsWith('.part'))).toEqual([alive]);
  });

  it('leave no part of themselves when they cannot be written', async () => {
    const dataFolder = await temporaryFolder();
    const local = await platform({ dataFolder });
    await local.start(spec('two'), change(), never);
    await mkdir(join(dataFolder, 'sessions', 'three.json', 'in the way'), { recursive: true });
    await expect(local.start(spec('three'), change(), never)).rejects.toMatchObject({
      code: 'platform_unavailable',
      shouldRetry: true,
    });
    expect((await readdir(join(dataFolder, 'sessions'))).filter((name) => name.endsWith('.part'))).toEqual(
      [],
    );
  });
});

describe('On a full disk', () => {
  it('sessions are put to sleep all the same, and that is written as soon as it can be', async () => {
    const dataFolder = await temporaryFolder();
    const errors: string[] = [];
    const local = await platform({
      dataFolder,
      onError: (error, where) => errors.push(`${where}: ${String(error)}`),
    });
    await local.start(spec('one'), change(), never);
    const full = fillDisk();
    expect(await local.hibernate('one', change(1, 'sleep'), never)).toMatchObject({
      state: 'hibernated',
      commandId: 'sleep',
    });
    expect(await local.list(never)).toMatchObject([{ state: 'hibernated' }]);
    expect(errors[0]).toMatch(/^the record of session one: Error: ENOSPC/);
    // What is not written down is not begun.
    await expect(local.wake('one', change(), never)).rejects.toMatchObject({
      code: 'platform_unavailable',
      shouldRetry: true,
    });
    expect(await local.list(never)).toMatchObject([{ state: 'hibernated' }]);
    expect(await recordOn(dataFolder)).toMatchObject({ wanted: 'running' });
    await local.hibernate('one', change(), never);
    full.mockRestore();
    await until(async () => (await recordOn(dataFolder))['wanted'] === 'hibernated');
  });

  it('sessions are stopped, and none is started', async () => {
    const dataFolder = await temporaryFolder();
    const local = await platform({ dataFolder, onError: () => undefined });
    await local.start(spec('one'), change(), never);
    fillDisk();
    await local.stop('one', change(), never);
    expect(await local.list(never)).toEqual([]);
    await expect(local.start(spec('two'), change(), never)).rejects.toMatchObject({ shouldRetry: true });
    expect(await local.list(never)).toEqual([]);
    const names = await readdir(join(dataFolder, 'sessions'));
    expect(names.filter((name) => !name.startsWith('.'))).toEqual([]);
  });

  it('sessions whose record cannot be removed are stopped, and can be stopped again', async () => {
    const local = await platform();
    await local.start(spec('one'), change(), never);
    const stuck = vi.spyOn(RecordStore.prototype, 'remove').mockRejectedValue(fullDisk());
    await expect(local.stop('one', change(), never)).rejects.toMatchObject({ shouldRetry: true });
    expect(await local.list(never)).toMatchObject([
      { state: 'stopped', reason: expect.stringContaining('its record could not be removed: ENOSPC') },
    ]);
    stuck.mockRestore();
    await local.stop('one', change(), never);
    expect(await local.list(never)).toEqual([]);
  });

  it('what is not written is written when the platform is closed, if it can be', async () => {
    const dataFolder = await temporaryFolder();
    const local = await platform({ dataFolder, onError: () => undefined });
    await local.start(spec('one'), change(), never);
    const full = fillDisk();
    await local.hibernate('one', change(1, 'sleep'), never);
    full.mockRestore();
    await local.close?.();
    expect(await recordOn(dataFolder)).toMatchObject({ wanted: 'hibernated', settled: true });
  });
});

const disk = await smallDisk();
if (!disk) console.warn('Left out for want of a file system to mount: opening a platform on a full disk');

describe.skipIf(!disk)('On a disk without any room', () => {
  it('a platform says so, and opens once there is room', async () => {
    const filler = join(disk!, 'filler');
    await writeFile(filler, Buffer.alloc(1024 * 1024)).catch(() => undefined);
    const local = localPlatform({ dataFolder: disk!, xDesktops: false });
    await expect(local.list(never)).rejects.toMatchObject({
      code: 'platform_unavailable',
      shouldRetry: true,
      message: expect.stringContaining(`no space is left on the disk of ${join(disk!, 'sessions')}`),
    });
    expect((await readdir(join(disk!, 'sessions'))).filter((name) => name.endsWith('.part'))).toEqual([]);
    await writeFile(filler, '');
    expect(await local.list(never)).toEqual([]);
    await local.close?.();
    execFileSync('umount', [disk!]);
    await rmdir(disk!);
  });
});

/** A file system of 64 KiB, where this process can mount one. */
async function smallDisk(): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'platform-local-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder], { stdio: 'ignore' });
    return folder;
  } catch {
    await rmdir(folder);
    return undefined;
  }
}

describe('In a home that somebody has prepared', () => {
  it('a pipe or a link is set aside, and neither waited for nor followed', async () => {
    const dataFolder = await temporaryFolder();
    const home = join(dataFolder, 'homes', 'one');
    await mkdir(home, { recursive: true });
    const secret = join(dataFolder, 'secret');
    await writeFile(secret, 'secret');
    for (const name of ['notes.txt', 'notes.txt.part']) execFileSync('mkfifo', [join(home, name)]);
    await symlink(secret, join(home, 'drawing.png'));
    const errors: string[] = [];
    const local = await platform({ dataFolder, onError: (error) => errors.push(String(error)) });
    await local.start(spec('one'), change(), never);
    expect(errors).toEqual([
      expect.stringMatching(/notes\.txt\.unreadable: it is a pipe or a device$/),
      expect.stringMatching(/drawing\.png\.unreadable: it is a link/),
    ]);
    await type(await view(local, 'one'), 'kept');
    await until(async () => (await readFile(join(home, 'notes.txt'), 'utf8').catch(() => '')) === 'kept');
    expect(await readFile(secret, 'utf8')).toBe('secret');
  });

  it('the home itself is no link to another folder', async () => {
    const dataFolder = await temporaryFolder();
    const elsewhere = join(dataFolder, 'elsewhere');
    await mkdir(elsewhere);
    await chmod(elsewhere, 0o755);
    await mkdir(join(dataFolder, 'homes'));
    await symlink(elsewhere, join(dataFolder, 'homes', 'one'));
    const local = await platform({ dataFolder });
    await expect(local.start(spec('one'), change(), never)).rejects.toMatchObject({
      code: 'platform_unavailable',
      shouldRetry: false,
      message: expect.stringContaining('is a link or a file; allowed is a folder of its own'),
    });
    expect((await stat(elsewhere)).mode & 0o777).toBe(0o755);
  });
});
