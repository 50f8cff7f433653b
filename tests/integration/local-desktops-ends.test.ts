import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PlatformSession } from '@streamspace/agent-core';
import { localPlatform } from '@streamspace/platform-local';
import { describe, expect, it } from 'vitest';
import {
  change,
  displayOf,
  hasXDesktops,
  manifestOf,
  never,
  Place,
  spec,
  until,
} from './support/x-desktops.js';

/** Processes that were started with an argument, whatever their environment. */
function processesWith(argument: string): string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'latin1').split('\0').includes(argument);
    } catch {
      return false;
    }
  });
}

/** As a record may look that somebody else, or another version, has written. */
async function changeRecord(
  place: Place,
  sessionId: string,
  edit: (record: { spec: Record<string, unknown> }) => void,
): Promise<void> {
  const path = join(place.dataFolder, 'sessions', `${sessionId}.json`);
  const record = JSON.parse(await readFile(path, 'utf8')) as { spec: Record<string, unknown> };
  edit(record);
  await writeFile(path, JSON.stringify(record));
}

describe.skipIf(!hasXDesktops())('X desktops that are to be no more', () => {
  it('end where X desktops are switched off, before the platform calls itself isolated', async () => {
    await using place = await Place.make();
    const first = place.agent();
    const sessions = [
      await first.start(spec('one'), change(), never),
      await first.start(spec('two'), change(), never),
    ];
    await first.hibernate('two', change(), never);
    const off = localPlatform({ dataFolder: place.dataFolder, xDesktops: false });
    expect(off.capabilities.isolated).toBe(true);
    const reason = expect.stringMatching(/^X desktops are switched off/) as string;
    expect(await off.inspect('one', never)).toMatchObject({ state: 'failed', reason });
    expect(await off.inspect('two', never)).toMatchObject({ state: 'hibernated', reason });
    expect(await place.processes()).toEqual([]);
    const refused = { code: 'template_unsupported' };
    await expect(off.start(spec('one'), change(), never)).rejects.toMatchObject(refused);
    await expect(off.wake('two', change(), never)).rejects.toMatchObject(refused);
    expect(await place.processes()).toEqual([]);
    for (const id of ['one', 'two']) await off.stop(id, change(), never);
    await off.close?.();
    expect(await place.leftovers(sessions.map(displayOf))).toEqual([]);
  });

  it('end where their record cannot be understood any more, and no other does', async () => {
    await using place = await Place.make();
    const first = place.agent();
    for (const id of ['one', 'two', 'three']) await first.start(spec(id), change(), never);
    await first.close?.();
    const limits = { memory: '2GB' };
    await changeRecord(place, 'one', ({ spec: kept }) => {
      kept['manifest'] = manifestOf([['openbox']], { defaultResources: limits });
    });
    await changeRecord(place, 'two', ({ spec: kept }) => delete kept['manifest']);
    const second = place.agent();
    const listed = await second.list(never);
    expect(listed.map(({ sessionId, state }) => [sessionId, state]).sort()).toEqual([
      ['one', 'failed'],
      ['three', 'running'],
    ]);
    const one = await second.inspect('one', never);
    expect(one?.reason).toContain('memory is "2GB"; allowed is an amount such as 512Mi or 2Gi');
    expect(await place.processes('one')).toEqual([]);
    expect(await place.processes('two')).toEqual([]);
    expect(await place.processes('three')).not.toEqual([]);
  });

  it('take programs with them that carry no mark', async () => {
    await using place = await Place.make();
    const platform = place.agent({ cgroup: false, graceMs: 300 });
    const seconds = String(4_000_000 + process.pid);
    const commands = [
      ['env', '-i', 'sleep', seconds],
      ['sh', '-c', `env -i sleep ${seconds} & env -i sh -c 'sleep ${seconds}; :'`],
    ];
    const count = (): number => processesWith(seconds).length;
    await platform.start(spec('one', { manifest: manifestOf(commands) }), change(), never);
    await until(() => count() === 3, 'the programs');
    await platform.hibernate('one', change(), never);
    expect(processesWith(seconds)).toEqual([]);
    await platform.wake('one', change(), never);
    await until(() => count() === 3, 'the programs after the wake');
    await platform.close?.();
    // What an agent before has started is known to the next by its record.
    const next = place.agent({ cgroup: false, graceMs: 300 });
    expect(await next.list(never)).toMatchObject([{ state: 'running' }]);
    expect(count()).toBe(3);
    await next.stop('one', change(), never);
    expect(processesWith(seconds)).toEqual([]);
  });

  it('stay with the platform that has taken them over', async () => {
    await using place = await Place.make();
    const first = place.agent({ onClose: 'end' });
    const session = await first.start(spec('one'), change(), never);
    const second = place.agent();
    await second.list(never);
    await first.close?.();
    expect(await second.inspect('one', never)).toMatchObject({
      state: 'running',
      details: { pid: session.details?.['pid'] },
    });
    expect((await place.processes('one')).some((line) => line.includes('Xtigervnc'))).toBe(true);
  });

  it('are told of, ended and stopped while no record of it can be written', async () => {
    await using place = await Place.make();
    const platform = place.agent();
    const seen: PlatformSession[] = [];
    platform.watch?.((session) => seen.push(session));
    const session = await platform.start(spec('one'), change(), never);
    const path = join(place.dataFolder, 'sessions', 'one.json');
    await rename(path, `${path}.before`);
    // Nothing can be renamed over a folder.
    await mkdir(join(path, 'in the way'), { recursive: true });
    process.kill(Number(session.details?.['pid']), 'SIGKILL');
    const reason = 'the X server was ended by SIGKILL';
    await until(() => seen.length > 0, 'word of its end');
    expect(seen).toMatchObject([{ sessionId: 'one', state: 'failed', reason }]);
    expect(await platform.inspect('one', never)).toMatchObject({ state: 'failed', reason });
    expect(await place.processes()).toEqual([]);
    expect(place.errors[0]).toMatch(/^the record of session one: /);
    await rm(path, { recursive: true });
    const written = (): Promise<string> => readFile(path, 'utf8').catch(() => '');
    await until(async () => (await written()).includes(reason), 'the record');
    await rm(`${path}.before`);
    await platform.stop('one', change(), never);
    expect(await place.leftovers([displayOf(session)])).toEqual([]);
  });

  it('are started again when that is asked for before anybody has heard of their end', async () => {
    await using place = await Place.make();
    await place.agent().start(spec('one'), change(), never);
    // It looks after what it has taken over so seldom that it hears of nothing.
    const platform = place.agent({ pollMs: 600_000 });
    const seen: PlatformSession[] = [];
    platform.watch?.((session) => seen.push(session));
    const [before] = await platform.list(never);
    const pid = Number(before?.details?.['pid']);
    process.kill(pid, 'SIGKILL');
    await until(() => hasEnded(pid), 'the end of the server');
    const again = await platform.start(spec('one'), change('again'), never);
    expect(again).toMatchObject({ state: 'running', commandId: 'again' });
    expect(again.details?.['pid']).not.toBe(pid);
    expect(seen).toEqual([]);
  });
});

/** Not before its state says so: one that is ending has no environment any more, and is still there. */
async function hasEnded(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => ') X');
  return /\) [ZX]/.test(stat);
}
