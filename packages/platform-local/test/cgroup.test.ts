import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SessionGroup, SessionGroups } from '../src/x/cgroup.js';
import { describeEnd } from '../src/x/unasked-end.js';
import { temporaryFolder } from './support.js';

/** A folder with the files of a cgroup; the kernel's own are not to be had everywhere. */
async function group(files: Record<string, string>): Promise<string> {
  const folder = await temporaryFolder();
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return folder;
}

describe('Groups of sessions', () => {
  it('are looked for where memory and processes can be limited', async () => {
    const folder = await group({ 'cgroup.controllers': 'cpu memory pids\n' });
    await mkdir(join(folder, 'ours'));
    await writeFile(join(folder, 'ours', 'cgroup.controllers'), 'cpu memory pids\n');
    const found = await SessionGroups.find(folder, 'ours');
    expect(found?.folder).toBe(join(folder, 'ours'));
    expect(await readFile(join(folder, 'ours', 'cgroup.subtree_control'), 'utf8')).toBe('+cpu +memory +pids');
    expect(found?.of('one').folder).toBe(join(folder, 'ours', 'one'));
  });

  it('are not used where the controllers were not delegated, and nothing is left there', async () => {
    const folder = await group({ 'cgroup.controllers': 'cpu memory pids\n' });
    expect(await SessionGroups.find(folder, 'ours')).toBeUndefined();
    await expect(readFile(join(folder, 'ours', 'cgroup.subtree_control'))).rejects.toThrow();
    expect(await SessionGroups.find(await group({ 'cgroup.controllers': 'cpu\n' }), 'ours')).toBeUndefined();
    expect(await SessionGroups.find(await group({}), 'ours')).toBeUndefined();
  });
});

describe('The group of a session', () => {
  it('is given its limits, and says which', async () => {
    const folder = join(await temporaryFolder(), "it's");
    const made = new SessionGroup(folder);
    const limits = { memoryBytes: 512 * 2 ** 20, processes: 100, cpus: 1.5 };
    expect(await made.create(limits)).toBe('cgroup: memory 512 MiB, 100 processes, 1.5 CPUs');
    expect(await readFile(join(folder, 'memory.max'), 'utf8')).toBe('536870912');
    expect(await readFile(join(folder, 'pids.max'), 'utf8')).toBe('100');
    expect(await readFile(join(folder, 'cpu.max'), 'utf8')).toBe('150000 100000');
    expect(made.enter).toBe(`echo $$ > '${folder.replace("'", "'\\''")}/cgroup.procs' || exit 125`);
  });

  it('knows what is used, and whether memory ran out', async () => {
    const folder = await group({
      'cpu.stat': 'usage_usec 2500000\nuser_usec 1\n',
      'memory.current': '1048576\n',
      'memory.events': 'low 0\noom 1\noom_kill 1\n',
    });
    const made = new SessionGroup(folder);
    expect(await made.usage()).toEqual({ cpuSeconds: 2.5, memoryBytes: 1048576 });
    expect(await made.outOfMemory()).toBe(1);
    expect(describeEnd('the X server', { signal: 'SIGKILL' }, true, { memoryBytes: 2 ** 20 })).toEqual({
      state: 'failed',
      reason: 'the X server has ended: memory ran out (1 MiB are allowed)',
    });
    await rm(folder, { recursive: true });
    await made.remove();
  });
});
