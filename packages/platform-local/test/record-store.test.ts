import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { builtInDesktopTemplate } from '@streamspace/platform-local';
import { RecordStore } from '../src/record-store.js';
import type { SessionRecord } from '../src/session-record.js';
import { change, never, platform, spec, temporaryFolder, type, until, view } from './support.js';

const record = (sessionId: string): SessionRecord => ({
  spec: spec(sessionId),
  ...{ generation: 1, commandId: 'command', wanted: 'running', settled: true },
});

async function store(dataFolder: string) {
  const errors: string[] = [];
  const made = new RecordStore(dataFolder, (error, where) => errors.push(`${where}: ${String(error)}`));
  return { store: made, errors, platformId: await made.open() };
}

describe('The records of sessions', () => {
  it('are written whole, for their owner alone, and read again under the same mark', async () => {
    const folder = await temporaryFolder();
    const first = await store(folder);
    await first.store.write(record('one'));
    expect((await stat(join(folder, 'sessions', 'one.json'))).mode & 0o777).toBe(0o600);
    const second = await store(folder);
    expect(second.platformId).toBe(first.platformId);
    expect(await second.store.read()).toEqual([record('one')]);
    await second.store.remove('one');
    expect(await second.store.read()).toEqual([]);
  });

  it('are not changed any more by a platform that another has replaced', async () => {
    const folder = await temporaryFolder();
    const first = await store(folder);
    await first.store.write(record('one'));
    const second = await store(folder);
    const replaced = { code: 'platform_unavailable', shouldRetry: false };
    await expect(first.store.write({ ...record('one'), commandId: 'late' })).rejects.toMatchObject(replaced);
    await expect(first.store.remove('one')).rejects.toMatchObject(replaced);
    expect(await second.store.read()).toEqual([record('one')]);
  });

  it.each([['no JSON'], ['{}'], ['null'], [JSON.stringify(record('another'))]])(
    'are set aside and reported when they are damaged: %s',
    async (text) => {
      const folder = await temporaryFolder();
      const { store: opened, errors } = await store(folder);
      await opened.write(record('one'));
      await writeFile(join(folder, 'sessions', 'two.json'), text);
      await writeFile(join(folder, 'sessions', 'three.json.token.part'), 'half of a rec');
      expect(await opened.read()).toEqual([record('one')]);
      expect(errors).toEqual([expect.stringMatching(/two\.json cannot be used and was set aside/)]);
      const left = (await readdir(join(folder, 'sessions'))).filter((name) => !name.startsWith('.'));
      expect(left.sort()).toEqual(['one.json', 'two.json.unreadable']);
    },
  );
});

describe('Sessions of the built-in desktop', () => {
  it('come back with the agent, with what was typed, as they were', async () => {
    const dataFolder = await temporaryFolder();
    const first = await platform({ dataFolder });
    await first.start(spec('one'), change(3, 'start'), never);
    await first.start(spec('two'), change(1), never);
    await first.hibernate('two', change(1, 'sleep'), never);
    await type(await view(first, 'one'), 'kept');
    await first.close?.();
    expect(await readFile(join(dataFolder, 'homes', 'one', 'notes.txt'), 'utf8')).toBe('kept');

    const second = await platform({ dataFolder });
    const listed = (await second.list(never)).sort((a, b) => a.sessionId.localeCompare(b.sessionId));
    expect(listed).toMatchObject([
      { sessionId: 'one', state: 'running', generation: 3, commandId: 'start' },
      { sessionId: 'two', state: 'hibernated', generation: 1, commandId: 'sleep' },
    ]);
    await type(await view(second, 'one'), '>');
    const notes = join(dataFolder, 'homes', 'one', 'notes.txt');
    await until(async () => /^kept>$|^>kept$/.test(await readFile(notes, 'utf8')));
  });

  it('stay with their agent while another is made and not used, and leave it for one that is', async () => {
    const dataFolder = await temporaryFolder();
    const first = await platform({ dataFolder });
    await first.start(spec('one'), change(), never);
    const standby = await platform({ dataFolder });
    await first.hibernate('one', change(), never);
    expect(await standby.list(never)).toMatchObject([{ sessionId: 'one', state: 'hibernated' }]);
    await expect(first.wake('one', change(), never)).rejects.toMatchObject({ code: 'platform_unavailable' });
    expect(await standby.inspect('one', never)).toMatchObject({ state: 'hibernated' });
  });

  it('are failed and named where they cannot come back', async () => {
    const dataFolder = await temporaryFolder();
    const first = await platform({ dataFolder });
    await first.start(spec('one', { manifest: builtInDesktopTemplate }), change(), never);
    await first.close?.();
    await mkdir(join(dataFolder, 'homes', 'one', 'drawing.png'));
    const second = await platform({ dataFolder });
    expect(await second.list(never)).toMatchObject([
      { sessionId: 'one', state: 'failed', reason: expect.stringContaining('could not be brought back') },
    ]);
    await second.stop('one', change(), never);
    expect(await second.list(never)).toEqual([]);
  });
});
