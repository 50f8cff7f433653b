import { mkdir, readdir, readFile, rmdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Platform } from '@streamspace/agent-core';
import { platformSuite } from '@streamspace/agent-core/testing';
import { builtInDesktopTemplate, localPlatform } from '@streamspace/platform-local';
import { connectRfb, Keysym } from '@streamspace/rfb';
import {
  change,
  never,
  platform,
  press,
  spec,
  temporaryFolder,
  type,
  until,
  view,
  watch,
} from './support.js';

/** A point of the canvas at 1280 x 800. */
const CANVAS = { x: 800, y: 400 };
/** Points where the notes' file is named at 1280 x 800. */
const NOTES_FILE = Array.from(
  { length: 110 * 18 },
  (_, index) => [349 + (index % 110), 256 + Math.floor(index / 110)] as const,
);
const WARNING = 0xb3261e;
const pixelAt = (client: { framebuffer: { width: number; pixels: Uint32Array } }, x: number, y: number) =>
  client.framebuffer.pixels[y * client.framebuffer.width + x];

async function contents(folder: string, file: string): Promise<string> {
  return await readFile(join(folder, 'homes', 'one', file), 'utf8').catch(() => '');
}

describe('A session of the built-in desktop', () => {
  it('keeps what is typed in notes.txt, soon after it was typed', async () => {
    const dataFolder = await temporaryFolder();
    const local = await platform({ dataFolder });
    await local.start(spec('one'), change(), never);
    const client = await view(local, 'one');
    await type(client, 'Grüße, wörld!x');
    await press(client, Keysym.backspace);
    await press(client, Keysym.home);
    await type(client, '>');
    await press(client, Keysym.delete);
    await press(client, Keysym.end);
    await type(client, '\n2nd\n');
    await press(client, Keysym.up);
    await press(client, Keysym.left);
    await type(client, '€');
    await until(async () => (await contents(dataFolder, 'notes.txt')) === '>rüße, wörld!€\n2nd\n');
    expect((await readdir(join(dataFolder, 'homes', 'one'))).sort()).toEqual(['notes.txt']);
  });

  it('shows what is typed, and sends little for one letter', async () => {
    const local = await platform();
    await local.start(spec('one'), change(), never);
    const client = await view(local, 'one');
    await type(client, 'a');
    const before = client.framebuffer.pixels.slice();
    let rectangles: readonly { x: number; y: number; width: number; height: number }[] = [];
    await type(client, 'b');
    while (rectangles.every((rect) => rect.y < 250)) {
      await client.request(true);
      rectangles = (await client.nextUpdate()).rectangles;
    }
    expect(client.framebuffer.pixels).not.toEqual(before);
    const pixels = rectangles.reduce((sum, rect) => sum + rect.width * rect.height, 0);
    expect(pixels).toBeLessThan(20_000);
  });

  it('keeps text and drawing over stop and start', async () => {
    const dataFolder = await temporaryFolder();
    const first = await platform({ dataFolder });
    await first.start(spec('one'), change(), never);
    const client = await view(first, 'one');
    expect(pixelAt(client, CANVAS.x, CANVAS.y)).toBe(0xffffff);
    await client.pointer(1, CANVAS.x - 40, CANVAS.y);
    await client.pointer(1, CANVAS.x + 40, CANVAS.y);
    await client.pointer(0, CANVAS.x + 40, CANVAS.y);
    await watch(client, () => pixelAt(client, CANVAS.x, CANVAS.y) !== 0xffffff);
    await type(client, 'kept');
    await watch(client, () => pixelAt(client, CANVAS.x, CANVAS.y) !== 0xffffff);
    await client.close();
    const drawn = pixelAt(client, CANVAS.x, CANVAS.y);
    await first.stop('one', change(), never);
    expect(await first.list(never)).toEqual([]);
    expect(await contents(dataFolder, 'notes.txt')).toBe('kept');

    const second = await platform({ dataFolder });
    await second.start(spec('one'), change(2), never);
    const again = await view(second, 'one');
    expect(pixelAt(again, CANVAS.x, CANVAS.y)).toBe(drawn);
    await type(again, '!');
    await until(async () => (await contents(dataFolder, 'notes.txt')) === 'kept!');
  });

  it('clears the drawing when asked to', async () => {
    const local = await platform();
    await local.start(spec('one'), change(), never);
    const client = await view(local, 'one');
    await client.pointer(1, CANVAS.x, CANVAS.y);
    await client.pointer(0, CANVAS.x, CANVAS.y);
    await watch(client, () => pixelAt(client, CANVAS.x, CANVAS.y) !== 0xffffff);
    await client.pointer(1, 1198, 137);
    await watch(client, () => pixelAt(client, CANVAS.x, CANVAS.y) === 0xffffff);
  });

  it('shows the same to every viewer', async () => {
    const local = await platform();
    await local.start(spec('one'), change(), never);
    const [ada, bob] = [await view(local, 'one'), await view(local, 'one')];
    await ada.pointer(1, CANVAS.x, CANVAS.y);
    await watch(bob, () => pixelAt(bob, CANVAS.x, CANVAS.y) !== 0xffffff);
    expect(await local.inspect('one', never)).toMatchObject({ details: { viewers: 2 } });
    await bob.close();
    await until(async () => (await local.inspect('one', never))?.details?.['viewers'] === 1);
  });

  it('copies and pastes through the viewers clipboard', async () => {
    const dataFolder = await temporaryFolder();
    const local = await platform({ dataFolder });
    await local.start(spec('one'), change(), never);
    const client = await view(local, 'one');
    await client.sendCutText('from outside\r\n');
    await client.key(true, Keysym.controlLeft);
    await type(client, 'vc');
    await client.key(false, Keysym.controlLeft);
    await type(client, 'c');
    expect(await client.nextNotice()).toEqual({ type: 'serverCutText', text: 'from outside\n' });
    await until(async () => (await contents(dataFolder, 'notes.txt')) === 'from outside\nc');
  });

  it('scrolls a long text by moving what is already there', async () => {
    const local = await platform();
    await local.start(spec('one'), change(), never);
    const client = await view(local, 'one');
    await type(client, 'line\n'.repeat(17));
    await client.request(false);
    await client.nextUpdate();
    await type(client, '\n');
    let encodings: string[] = [];
    while (!encodings.includes('copyRect')) {
      await client.request(true);
      encodings = (await client.nextUpdate()).rectangles.map((rect) => rect.encoding);
    }
    const seen = client.framebuffer.pixels.slice();
    await client.request(false);
    await client.nextUpdate();
    const page = [...seen.keys()].filter((index) => index % 1280 < 470 && index > 1280 * 250);
    expect(page.find((index) => seen[index] !== client.framebuffer.pixels[index])).toBeUndefined();
  });

  it('takes no more text than it may, and rings', async () => {
    const dataFolder = await temporaryFolder();
    const local = await platform({ dataFolder, textBytes: 5 });
    await local.start(spec('one'), change(), never);
    const client = await view(local, 'one');
    await type(client, '1234üx');
    expect((await client.nextNotice()).type).toBe('bell');
    await until(async () => (await contents(dataFolder, 'notes.txt')) === '1234x');
  });

  it('follows the size that a viewer asks for, within bounds', async () => {
    const local = await platform({ screen: { width: 800, height: 600 } });
    await local.start(spec('one'), change(), never);
    const client = await view(local, 'one');
    expect(client.framebuffer.width).toBe(800);
    await client.resize(100, 100);
    await client.resize(1024, 768);
    await watch(client, () => client.framebuffer.width === 1024);
    await watch(client, () => client.framebuffer.pixels.every((pixel, index) => index > 1024 || pixel !== 0));
  });

  it('sets files aside that it cannot read, and says so', async () => {
    const dataFolder = await temporaryFolder();
    const home = join(dataFolder, 'homes', 'one');
    await mkdir(home, { recursive: true });
    await writeFile(join(home, 'notes.txt'), Uint8Array.of(0xff, 0xfe));
    await writeFile(join(home, 'drawing.png'), 'no picture');
    const errors: string[] = [];
    const local = await platform({ dataFolder, onError: (_, where) => errors.push(where) });
    await local.start(spec('one'), change(), never);
    expect(errors).toEqual(['files of session one', 'files of session one']);
    expect((await readdir(home)).sort()).toEqual(['drawing.png.unreadable', 'notes.txt.unreadable']);
  });

  it('sets a second file aside beside the first', async () => {
    const dataFolder = await temporaryFolder();
    const home = join(dataFolder, 'homes', 'one');
    await mkdir(home, { recursive: true });
    const errors: string[] = [];
    const local = await platform({
      dataFolder,
      textBytes: 3,
      onError: (error) => errors.push(String(error)),
    });
    for (const [generation, text] of ['first', 'second', 'third'].entries()) {
      await writeFile(join(home, 'notes.txt'), text);
      await local.start(spec('one'), change(generation + 1), never);
    }
    expect(await contents(dataFolder, 'notes.txt.unreadable')).toBe('first');
    expect(await contents(dataFolder, 'notes.txt.unreadable-2')).toBe('second');
    expect(await contents(dataFolder, 'notes.txt.unreadable-3')).toBe('third');
    expect(errors[2]).toMatch(/notes\.txt\.unreadable-3: it has 5 bytes; at most 3 are allowed$/);
  });

  it('does not start where the file system fails, and leaves the file where it is', async () => {
    const dataFolder = await temporaryFolder();
    const home = join(dataFolder, 'homes', 'one');
    // Opens, and fails to be read, for root too.
    await mkdir(join(home, 'drawing.png'), { recursive: true });
    await writeFile(join(home, 'notes.txt'), 'kept');
    const local = await platform({ dataFolder });
    await expect(local.start(spec('one'), change(), never)).rejects.toMatchObject({
      code: 'platform_unavailable',
      shouldRetry: true,
    });
    expect(await local.list(never)).toEqual([]);
    expect((await readdir(home)).sort()).toEqual(['drawing.png', 'notes.txt']);
    await rmdir(join(home, 'drawing.png'));
    await local.start(spec('one'), change(), never);
  });

  it('says on the desktop that a file is not saved, until it is, and loses nothing by a stop', async () => {
    const dataFolder = await temporaryFolder();
    const errors: string[] = [];
    const local = await platform({ dataFolder, onError: (_, where) => errors.push(where) });
    await local.start(spec('one'), change(), never);
    const client = await view(local, 'one');
    const label = () => NOTES_FILE.map(([x, y]) => pixelAt(client, x, y));
    const usual = label();
    const inTheWay = join(dataFolder, 'homes', 'one', 'notes.txt.part');
    await mkdir(inTheWay);
    await type(client, 'one');
    await watch(client, () => label().includes(WARNING));
    expect(errors).toContain('notes of session one');
    await rmdir(inTheWay);
    await watch(client, () => !label().includes(WARNING));
    expect(label()).toEqual(usual);

    await mkdir(inTheWay);
    const before = errors.length;
    await type(client, ' two');
    await until(() => errors.length > before);
    await rmdir(inTheWay);
    await local.stop('one', change(), never);
    expect(await contents(dataFolder, 'notes.txt')).toBe('one two');
  });
});

describe('The local platform', () => {
  it('says what it can do', async () => {
    const local = await platform();
    expect(local).toMatchObject({
      name: 'local',
      capabilities: { hibernate: true, survivesAgentRestart: true, isolated: true },
    });
    expect(builtInDesktopTemplate).toMatchObject({
      apiVersion: 'stream.space/v1alpha1',
      kind: 'Template',
      metadata: { name: 'built-in-desktop' },
    });
  });

  it('starts a session once, however often it is asked to', async () => {
    const local = await platform();
    const first = await local.start(spec('one'), change(3, 'a'), never);
    const client = await view(local, 'one');
    expect(await local.start(spec('one'), change(3, 'a'), never)).toMatchObject({
      sessionId: 'one',
      generation: 3,
      commandId: 'a',
      state: 'running',
    });
    expect(first).toMatchObject({ generation: 3, commandId: 'a', state: 'running' });
    await client.request(false);
    await client.nextUpdate();
    expect(await local.list(never)).toHaveLength(1);
  });

  it('replaces a session by its next generation', async () => {
    const local = await platform();
    await local.start(spec('one'), change(1), never);
    const client = await view(local, 'one');
    await local.start(spec('one'), change(2), never);
    await expect(client.nextUpdate()).rejects.toThrow();
    expect(await local.inspect('one', never)).toMatchObject({ generation: 2, commandId: 'command-2' });
  });

  it('refuses a generation below the one that it holds', async () => {
    const local = await platform();
    await local.start(spec('one'), change(5), never);
    const stale = expect.objectContaining({ code: 'stale_generation', shouldRetry: false });
    await expect(local.start(spec('one'), change(4), never)).rejects.toEqual(stale);
    await expect(local.stop('one', change(4), never)).rejects.toEqual(stale);
    await expect(local.hibernate('one', change(4), never)).rejects.toEqual(stale);
    await expect(local.wake('one', change(4), never)).rejects.toEqual(stale);
    expect(await local.inspect('one', never)).toMatchObject({ generation: 5, state: 'running' });
  });

  it('hibernates and wakes a session', async () => {
    const local = await platform();
    await local.start(spec('one'), change(1, 'start'), never);
    await type(await view(local, 'one'), 'x');
    const hibernated = { state: 'hibernated', commandId: 'sleep' };
    expect(await local.hibernate('one', change(1, 'sleep'), never)).toMatchObject(hibernated);
    expect(await local.hibernate('one', change(1, 'again'), never)).toMatchObject(hibernated);
    await expect(local.openStream('one', 'vnc', never)).rejects.toMatchObject({ code: 'connect_failed' });
    const awake = { state: 'running', commandId: 'wake' };
    expect(await local.wake('one', change(1, 'wake'), never)).toMatchObject(awake);
    await view(local, 'one');
    await expect(local.wake('two', change(), never)).rejects.toMatchObject({ code: 'session_not_found' });
  });

  it('stops a session in spite of a viewer that does not read', async () => {
    const local = await platform({ leaveTimeoutMs: 20 });
    await local.start(spec('one'), change(), never);
    const channel = await local.openStream('one', 'vnc', never);
    const client = await connectRfb(channel);
    await client.request(false);
    await local.stop('one', change(), never);
    expect((await channel.closed)?.message).toBe('the session has ended');
    expect(await local.inspect('one', never)).toBeUndefined();
    await local.stop('one', change(), never);
  });

  it('shows viewers out in order when their session stops', async () => {
    const local = await platform();
    await local.start(spec('one'), change(), never);
    const channel = await local.openStream('one', 'vnc', never);
    const client = await connectRfb(channel);
    const stopped = local.stop('one', change(), never);
    await client.close();
    await stopped;
    expect(await channel.closed).toBeUndefined();
  });

  it('keeps homes to itself, and removes one that is not to persist', async () => {
    const dataFolder = await temporaryFolder();
    const local = await platform({ dataFolder });
    await local.start(spec('one', { persistentHome: false }), change(), never);
    await local.start(spec('two'), change(), never);
    expect((await stat(join(dataFolder, 'homes', 'one'))).mode & 0o777).toBe(0o700);
    await type(await view(local, 'one'), 'secret');
    await local.stop('one', change(), never);
    await local.stop('two', change(), never);
    expect(await readdir(join(dataFolder, 'homes'))).toEqual(['two']);
  });

  it.each(['', '..', '../x', 'a/b', 'A', '-a', 'a-', 'a.b', 'a\u0000', 'a\n', 'x'.repeat(64)])(
    'refuses the session id %j',
    async (sessionId) => {
      const local = await platform();
      const refused = expect.objectContaining({ code: 'invalid_session_id' });
      await expect(local.start(spec(sessionId), change(), never)).rejects.toEqual(refused);
      await expect(local.stop(sessionId, change(), never)).rejects.toEqual(refused);
      await expect(local.openStream(sessionId, 'vnc', never)).rejects.toEqual(refused);
    },
  );

  it('refuses another template, and names the one that it has', async () => {
    const local = await platform();
    const manifest = { metadata: { name: 'firefox' }, spec: { baseImage: 'example/firefox' } };
    const error = await local
      .start(spec('one', { template: 'firefox', manifest }), change(), never)
      .catch(String);
    expect(error).toContain(
      'template firefox needs "example/firefox"; this platform has builtin:desktop (as in template built-in-desktop)',
    );
    await expect(local.start(spec('one', { manifest: {} }), change(), never)).rejects.toMatchObject({
      code: 'template_unsupported',
    });
  });

  it('refuses ports and sessions that are not there, and too many viewers', async () => {
    const local = await platform({ viewersPerSession: 1 });
    await expect(local.openStream('one', 'vnc', never)).rejects.toMatchObject({ code: 'session_not_found' });
    await local.start(spec('one'), change(), never);
    await expect(local.openStream('one', 'ssh', never)).rejects.toMatchObject({ code: 'connect_failed' });
    await view(local, 'one');
    await expect(local.openStream('one', 'vnc', never)).rejects.toMatchObject({
      code: 'limit_reached',
      message: 'This desktop has as many viewers as it may (1). Close one and try again.',
      shouldRetry: true,
    });
  });

  it('leaves nothing behind where a start is aborted', async () => {
    const local = await platform();
    const controller = new AbortController();
    const starting = local.start(spec('one'), change(), controller.signal);
    controller.abort(new Error('not any more'));
    await expect(starting).rejects.toThrow('not any more');
    expect(await local.list(never)).toEqual([]);
  });

  it('ends every session when it is closed, and starts none after that', async () => {
    const dataFolder = await temporaryFolder();
    const local = await platform({ dataFolder });
    await local.start(spec('one'), change(), never);
    const client = await view(local, 'one');
    await type(client, 'last words');
    await Promise.all([local.close?.(), local.close?.(), client.close()]);
    expect(await contents(dataFolder, 'notes.txt')).toBe('last words');
    await expect(local.start(spec('two'), change(), never)).rejects.toMatchObject({
      code: 'platform_unavailable',
    });
  });

  it.each([
    [{ dataFolder: '' }, 'dataFolder is empty'],
    [{ dataFolder: 'x', textBytes: 0 }, 'textBytes is 0'],
    [{ dataFolder: 'x', screen: { width: 10, height: 10 } }, 'the screen is 10x10; allowed are 640x480'],
  ])('refuses the options %j', (options, text) => {
    expect(() => localPlatform(options)).toThrow(text);
  });
});

platformSuite({ describe, it }, async () => {
  const dataFolder = await temporaryFolder();
  const made: Platform[] = [];
  const open = (): Platform => {
    const local = localPlatform({ dataFolder, leaveTimeoutMs: 50, xDesktops: false });
    made.push(local);
    return local;
  };
  const { metadata } = builtInDesktopTemplate;
  return {
    platform: open(),
    template: { template: metadata.name, manifest: builtInDesktopTemplate },
    restart: () => Promise.resolve(open()),
    isolation: { notProbed: 'The built-in desktop runs no program that its user chooses.' },
    leftovers: async () => {
      const names = await readdir(join(dataFolder, 'sessions')).catch((): string[] => []);
      return names.filter((name) => !name.startsWith('.'));
    },
    close: async () => void (await Promise.all(made.map((local) => local.close?.()))),
  };
});
