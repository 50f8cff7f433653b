import { existsSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PlatformSession } from '@streamspace/agent-core';
import { localPlatform } from '@streamspace/platform-local';
import { describe, expect, it } from 'vitest';
import {
  change,
  displayOf,
  environmentOf,
  hasXDesktops,
  manifestOf,
  never,
  Place,
  run,
  sitDown,
  spec,
  until,
} from './support/x-desktops.js';

describe.skipIf(!hasXDesktops())('X desktops of this machine', () => {
  it('keep what is typed in a terminal over hibernate and wake, and leave nothing when stopped', async () => {
    await using place = await Place.make();
    const platform = place.agent();
    const first = await platform.start(spec('one'), change('start'), never);
    expect(first).toMatchObject({ state: 'running', commandId: 'start' });
    const file = place.home('one', 'typed');
    const ada = await sitDown(platform, 'one');
    await run(ada, 'pwd > typed', () => existsSync(file));
    await until(async () => (await readFile(file, 'utf8')) === `${place.home('one')}\n`, 'the text');

    const ended = expect(ada.nextUpdate().then(() => ada.nextUpdate())).rejects.toThrow();
    const asleep = await platform.hibernate('one', change('hibernate'), never);
    expect(asleep).toMatchObject({ state: 'hibernated', commandId: 'hibernate' });
    await ended;
    expect(await place.processes()).toEqual([]);
    await expect(platform.openStream('one', 'vnc', never)).rejects.toMatchObject({ code: 'connect_failed' });

    const awake = await platform.wake('one', change('wake'), never);
    expect(awake).toMatchObject({ state: 'running', commandId: 'wake' });
    const again = await sitDown(platform, 'one');
    const copy = place.home('one', 'copied');
    await run(again, 'cp typed copied', () => existsSync(copy));
    await platform.stop('one', change('stop'), never);
    expect(await platform.list(never)).toEqual([]);
    expect(await place.leftovers([displayOf(first), displayOf(awake)])).toEqual([]);
    expect(await readFile(copy, 'utf8')).toBe(`${place.home('one')}\n`);
    expect(place.errors).toEqual([]);
  });

  it('run ten at a time, each with a display and a home of its own', async () => {
    await using place = await Place.make();
    const platform = place.agent();
    const ids = Array.from({ length: 10 }, (_, index) => `desk-${index}`);
    const startedAt = performance.now();
    const started = await Promise.all(ids.map((id) => platform.start(spec(id), change(), never)));
    const seconds = (performance.now() - startedAt) / 1000;
    const displays = started.map(displayOf);
    expect(new Set(displays).size).toBe(10);
    await Promise.all(
      ids.map(async (id) => {
        const client = await sitDown(platform, id);
        await run(client, `echo ${id} > mine`, () => existsSync(place.home(id, 'mine')));
        await client.close();
      }),
    );
    const listed = await platform.list(never);
    const memory = listed.map(({ usage }) => usage?.memoryBytes ?? 0);
    expect(listed.map(({ state }) => state)).toEqual(ids.map(() => 'running'));
    expect(memory.every((bytes) => bytes > 0)).toBe(true);
    expect(listed.every(({ usage }) => (usage?.cpuSeconds ?? 0) > 0)).toBe(true);
    const mean = memory.reduce((sum, bytes) => sum + bytes, 0) / memory.length / 2 ** 20;
    console.log(`10 X desktops at once: ready in ${seconds.toFixed(2)} s, ${mean.toFixed(1)} MiB each`);
    await Promise.all(ids.map((id) => platform.stop(id, change(), never)));
    expect(await place.leftovers(displays)).toEqual([]);
  });

  it('are given nothing of the environment that the agent has', async () => {
    await using place = await Place.make();
    process.env['AGENT_API_KEY'] = 'not for desktops';
    try {
      const env = [
        { name: 'GREETING', value: 'hello' },
        { name: 'HOME', value: '/elsewhere' },
      ];
      const manifest = manifestOf([['openbox', '--sm-disable']], { env });
      await place.agent().start(spec('one', { manifest }), change(), never);
      const pids = (await place.processes('one')).map((line) => line.split(' ')[0]!);
      expect(pids.length).toBeGreaterThanOrEqual(2);
      for (const pid of pids) {
        const variables = environmentOf(pid);
        expect(Object.keys(variables).sort()).toEqual([
          ...['DISPLAY', 'GREETING', 'HOME', 'LANG', 'LOGNAME', 'PATH', 'PWD', 'SHELL'],
          ...['STREAMSPACE_GENERATION', 'STREAMSPACE_PLATFORM_ID', 'STREAMSPACE_SESSION_ID'],
          ...['USER', 'XAUTHORITY', 'XDG_RUNTIME_DIR'],
        ]);
        expect(variables['HOME']).toBe(place.home('one'));
      }
    } finally {
      delete process.env['AGENT_API_KEY'];
    }
  });

  it('take with them what a program has put into sessions of its own', async () => {
    await using place = await Place.make();
    const platform = place.agent({ graceMs: 300 });
    const ready = place.home('one', 'ready');
    const stubborn = `trap '' TERM HUP; : > ready; while :; do sleep 1; done`;
    const manifest = manifestOf([
      ['openbox', '--sm-disable'],
      ['setsid', 'setsid', 'sh', '-c', stubborn],
    ]);
    const session = await platform.start(spec('one', { manifest }), change(), never);
    await until(() => existsSync(ready), 'the stubborn program');
    await platform.stop('one', change(), never);
    expect(await place.leftovers([displayOf(session)])).toEqual([]);
  });

  it('say how they ended when nobody ended them, and can be started again', async () => {
    await using place = await Place.make();
    const platform = place.agent();
    const seen: PlatformSession[] = [];
    const unwatch = platform.watch?.((session) => seen.push(session));
    const endOf = async (id: string): Promise<PlatformSession> => {
      await until(() => seen.some(({ sessionId }) => sessionId === id), `the end of ${id}`);
      return seen.find(({ sessionId }) => sessionId === id)!;
    };
    const first = await platform.start(spec('killed'), change(), never);
    process.kill(Number(first.details?.['pid']), 'SIGKILL');
    const reason = 'the X server was ended by SIGKILL';
    expect(await endOf('killed')).toMatchObject({ state: 'failed', reason });
    expect(await place.processes()).toEqual([]);
    expect(await platform.inspect('killed', never)).toMatchObject({ state: 'failed', reason });

    const leaving = (code: number) => manifestOf([['sh', '-c', `exit ${code}`]]);
    for (const [id, code, state] of [
      ['left', 0, 'stopped'],
      ['crashed', 3, 'failed'],
    ] as const) {
      await platform.start(spec(id, { manifest: leaving(code) }), change(), never);
      expect(await endOf(id)).toMatchObject({
        state,
        reason: expect.stringMatching(/^sh has ended with exit code/),
      });
    }
    expect(await platform.start(spec('killed'), change('again'), never)).toMatchObject({ state: 'running' });
    expect((await platform.inspect('killed', never))?.reason).toBeUndefined();
    unwatch?.();
  });

  it('outlive the agent: what runs is adopted, what has gone is started again, what has ended stays so', async () => {
    await using place = await Place.make();
    const first = place.agent();
    for (const id of ['kept', 'gone', 'over', 'asleep']) await first.start(spec(id), change(id), never);
    await first.hibernate('asleep', change('asleep'), never);
    const [kept, gone, over] = [
      await first.inspect('kept', never),
      await first.inspect('gone', never),
      await first.inspect('over', never),
    ];
    process.kill(Number(over?.details?.['pid']), 'SIGKILL');
    await until(async () => (await first.inspect('over', never))?.state === 'failed', 'the end of over');
    const viewer = await sitDown(first, 'kept');
    await first.close?.();
    await expect(viewer.nextUpdate().then(() => viewer.nextUpdate())).rejects.toThrow();
    process.kill(Number(gone?.details?.['pid']), 'SIGKILL');
    await until(
      async () => (await place.processes('gone')).every((line) => !line.includes('Xtigervnc')),
      'its end',
    );
    await writeFile(place.home('gone', 'mine'), 'still here');

    const second = place.agent();
    const listed = new Map((await second.list(never)).map((session) => [session.sessionId, session]));
    expect([...listed].map(([id, { state, commandId }]) => [id, state, commandId]).sort()).toEqual([
      ['asleep', 'hibernated', 'asleep'],
      ['gone', 'running', 'gone'],
      ['kept', 'running', 'kept'],
      ['over', 'failed', 'over'],
    ]);
    expect(listed.get('kept')?.details?.['pid']).toBe(kept?.details?.['pid']);
    expect(listed.get('gone')?.details?.['pid']).not.toBe(gone?.details?.['pid']);
    expect(await readFile(place.home('gone', 'mine'), 'utf8')).toBe('still here');
    const displays = [displayOf(gone), displayOf(over)];
    expect((await place.leftovers(displays)).filter((line) => line.startsWith('/tmp/.X'))).toEqual([]);
    await (await sitDown(second, 'kept')).close();

    const seen: PlatformSession[] = [];
    second.watch?.((session) => seen.push(session));
    process.kill(Number(kept?.details?.['pid']), 'SIGKILL');
    await until(() => seen.length > 0, 'the end of what was adopted');
    expect(seen[0]).toMatchObject({ sessionId: 'kept', state: 'failed' });
    // The platform before was told by nobody that it was replaced: it must do nothing all the same.
    await expect(place.agent().list(never)).resolves.toHaveLength(4);
    await expect(second.stop('gone', change(), never)).rejects.toMatchObject({
      code: 'platform_unavailable',
    });
    expect(await place.processes('gone')).not.toEqual([]);
  });

  it('end with the platform where it is told so, and come back with it', async () => {
    await using place = await Place.make();
    const first = place.agent({ onClose: 'end' });
    await first.start(spec('one'), change('start'), never);
    await first.close?.();
    expect(await place.processes()).toEqual([]);
    const [back] = await place.agent().list(never);
    expect(back).toMatchObject({ sessionId: 'one', state: 'running', commandId: 'start' });
  });

  it('are refused with a remedy where a program is missing, and leave nothing', async () => {
    await using place = await Place.make();
    const platform = place.agent();
    const manifest = manifestOf([['openbox'], ['no-such-program']]);
    await expect(platform.start(spec('one', { manifest }), change(), never)).rejects.toMatchObject({
      code: 'program_missing',
      message: expect.stringContaining('apt-get install no-such-program'),
    });
    const wrong = manifestOf([['openbox']], { commands: 'openbox' });
    await expect(platform.start(spec('one', { manifest: wrong }), change(), never)).rejects.toMatchObject({
      code: 'template_unsupported',
    });
    const off = localPlatform({ dataFolder: join(place.dataFolder, 'other'), xDesktops: false });
    await expect(off.start(spec('one'), change(), never)).rejects.toMatchObject({
      code: 'template_unsupported',
    });
    await off.close?.();
    expect(await place.leftovers()).toEqual([]);
    expect(() => place.agent({ program: '/no/such/Xvnc' })).toThrow('"/no/such/Xvnc"');
  });

  it('leave nothing when a server cannot live within its limits, and say what it said', async () => {
    await using place = await Place.make();
    const manifest = manifestOf([['openbox']], { defaultResources: { memory: '1Mi' } });
    const platform = place.agent({ cgroup: false });
    await expect(platform.start(spec('one', { manifest }), change(), never)).rejects.toMatchObject({
      code: 'platform_unavailable',
      message: expect.stringContaining('the X server ended'),
    });
    expect(await place.leftovers()).toEqual([]);
    const limits = { memoryBytes: 2 ** 30, processes: 100 };
    const limited = place.agent({ cgroup: false, limits });
    const session = await limited.start(spec('one'), change(), never);
    expect(session.details?.['limits']).toBe(
      'rlimit: each process at most 1024 MiB of memory; processes not limited for want of a writable cgroup',
    );
    const bounds = await readFile(`/proc/${String(session.details?.['pid'])}/limits`, 'latin1');
    expect(bounds).toMatch(new RegExp(`Max data size +${2 ** 30} `));
    expect(bounds).toMatch(/Max core file size +0 /);
  });

  it('stop at their number, and at a socket path that is too long', async () => {
    await using place = await Place.make();
    const platform = place.agent({ sessions: 1 });
    await platform.start(spec('one'), change(), never);
    await expect(platform.start(spec('two'), change(), never)).rejects.toMatchObject({
      code: 'capacity_exhausted',
      shouldRetry: true,
    });
    await platform.hibernate('one', change(), never);
    await platform.start(spec('two'), change(), never);
    await expect(platform.wake('one', change(), never)).rejects.toMatchObject({ code: 'capacity_exhausted' });
    await platform.close?.();
    const deep = place.agent({ socketFolder: join(place.dataFolder, 'x'.repeat(100)) });
    await expect(deep.wake('one', change(), never)).rejects.toMatchObject({ code: 'socket_path_too_long' });
    expect(await deep.inspect('one', never)).toMatchObject({ state: 'hibernated' });
  });

  it('choose another display where somebody else is faster', async () => {
    await using place = await Place.make();
    await using other = await Place.make();
    // Both begin with the same numbers, at the same time.
    const agents = [place.agent({ firstDisplay: 700 }), other.agent({ firstDisplay: 700 })];
    const started = await Promise.all(agents.map((agent) => agent.start(spec('one'), change(), never)));
    expect(new Set(started.map(displayOf)).size).toBe(2);
    expect(started.map(({ state }) => state)).toEqual(['running', 'running']);
  });

  it('keep their logs short, whatever is written to them', async () => {
    await using place = await Place.make();
    const platform = place.agent({ logBytes: 64 * 1024 });
    const talkative = `while :; do echo ${'word '.repeat(200)}; sleep 0.001; done`;
    const manifest = manifestOf([
      ['openbox', '--sm-disable'],
      ['sh', '-c', talkative],
    ]);
    const session = await platform.start(spec('one', { manifest }), change(), never);
    const log = String(session.details?.['log']);
    const size = async (): Promise<number> => (await stat(log)).size;
    await until(async () => (await size()) > 64 * 1024, 'a long log');
    await until(async () => (await size()) < 64 * 1024, 'a short log');
    expect((await stat(log)).mode & 0o777).toBe(0o600);
  });
});
