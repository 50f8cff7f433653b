import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { createClient } from '@streamspace/client';
import { missingForXDesktop } from '@streamspace/platform-local';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EmbeddedApp } from './support/embedded-app.js';

/** Nobody: owns no file and is in no group of ours. */
const STRANGER = 65_534;
const isRoot = process.getuid?.() === 0;
const FOR_OTHERS = 0o077;
/** For a machine that is busy with other tests. */
const WAIT = { timeout: 120_000 };
const TIMEOUT_MS = 600_000;

/** Becomes another user and lists, reads and writes all that it is told; prints what succeeded. */
const ATTEMPTS = `
const [uid, ...paths] = JSON.parse(process.argv[1]);
const fs = require('node:fs');
process.setgroups([]); process.setgid(uid); process.setuid(uid);
const done = [];
const attempt = (what, path, run) => { try { run(); done.push(what + ' ' + path); } catch {} };
for (const path of paths) {
  attempt('list', path, () => fs.readdirSync(path));
  attempt('read', path, () => fs.closeSync(fs.openSync(path, 'r')));
  attempt('write', path, () => fs.closeSync(fs.openSync(path, 'r+')));
  attempt('create', path, () => fs.writeFileSync(path + '/new', ''));
  attempt('rename', path, () => fs.renameSync(path, path + '.moved'));
}
console.log(JSON.stringify(done));
`;

let parent: string;
let dataFolder: string;
let app: EmbeddedApp | undefined;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'streamspace-access-'));
  chmodSync(parent, 0o755);
  dataFolder = join(parent, 'data');
});

afterEach(async () => {
  await app?.stop();
  app = undefined;
  rmSync(parent, { recursive: true, force: true });
}, TIMEOUT_MS);

interface Entry {
  readonly path: string;
  readonly mode: number;
}

/** Everything below a folder, and the folder. What is renamed or deleted meanwhile is left out. */
function walk(folder: string): Entry[] {
  const below = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const paths = [folder, ...below.map((name) => join(folder, name))];
  return paths.flatMap((path) => {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    return stats ? [{ path, mode: stats.mode }] : [];
  });
}

const isLink = (mode: number): boolean => (mode & 0o170000) === 0o120000;

const show = ({ path, mode }: Entry): string =>
  `${relative(dataFolder, path) || '.'} ${(mode & 0o777).toString(8)}`;

/** What other users could open: no folder of this user alone is above it, and its own mode lets them. */
function open(entries: readonly Entry[]): string[] {
  const closed = entries.filter(({ mode }) => (mode & 0o170777) === 0o040700).map(({ path }) => `${path}/`);
  return entries
    .filter(
      ({ path, mode }) =>
        !isLink(mode) && (mode & FOR_OTHERS) !== 0 && !closed.some((one) => path.startsWith(one)),
    )
    .map(show);
}

/** Starts the app with a umask of 0. */
async function start(): Promise<{ started: EmbeddedApp; url: URL }> {
  const started = new EmbeddedApp({ dataFolder, before: ['sh', '-c', 'umask 000 && exec "$@"', 'sh'] });
  app = started;
  return { started, url: new URL(await started.says(/^Open this: (\S+)$/)) };
}

const PASSWORD = 'a-long-password';

/** Sets the app up and starts a built-in desktop, and an X desktop where there are any. */
async function use(url: URL): Promise<void> {
  const client = createClient({ baseUrl: url.origin });
  const token = url.searchParams.get('token')!;
  await client.setup.complete({ token, username: 'ada', password: PASSWORD });
  const names = ['built-in-desktop', ...(missingForXDesktop().length === 0 ? ['x-desktop'] : [])];
  for (const template of names) {
    const { id, url: page } = await client.sessions.create({ template });
    expect(page).toBe(`/vnc-viewer/${id}`);
    await expect.poll(async () => (await client.sessions.get(id)).state, WAIT).toBe('running');
  }
}

/** Ends all sessions: an X desktop would outlive the app. */
async function endSessions(url: URL): Promise<void> {
  const client = createClient({ baseUrl: url.origin });
  await client.login({ username: 'ada', password: PASSWORD });
  for (const { id } of await client.sessions.list()) {
    await client.sessions.stop(id);
    await expect.poll(async () => (await client.sessions.get(id)).state, WAIT).toBe('terminated');
  }
}

/** What another user can do to what lies in `db` and `secrets`. */
function reachedByAStranger(entries: readonly Entry[]): string[] {
  const paths = entries
    .map(({ path }) => path)
    .filter((path) => /^(db|secrets)(\/|$)/.test(relative(dataFolder, path)));
  expect(paths.length).toBeGreaterThan(900);
  const text = execFileSync(process.execPath, ['-e', ATTEMPTS, JSON.stringify([STRANGER, ...paths])], {
    encoding: 'utf8',
  });
  return JSON.parse(text) as string[];
}

describe('the data folder of the embedded mode', () => {
  it('lets no other user at database, secrets and sessions', { timeout: TIMEOUT_MS }, async () => {
    mkdirSync(dataFolder);
    chmodSync(dataFolder, 0o755);
    const first = await start();
    try {
      const status = readFileSync(`/proc/${first.started.child.pid}/status`, 'utf8');
      expect(/^Umask:\s+(\d+)$/m.exec(status)?.[1]).toBe('0077');
      await use(first.url);
      // It was there with mode 0755 and holds nothing else: it is closed, and each file in it by itself as well.
      const entries = walk(dataFolder);
      expect(entries.length).toBeGreaterThan(900);
      expect(open(entries)).toEqual([]);
      const ofSessions = /^(homes|sessions\/[^/]+\/runtime)\//;
      const wide = entries.filter(
        ({ path, mode }) =>
          !ofSessions.test(relative(dataFolder, path)) && !isLink(mode) && (mode & FOR_OTHERS) !== 0,
      );
      expect(wide.map(show)).toEqual([]);
    } catch (error) {
      await endSessions(first.url).catch(() => undefined);
      throw error;
    }
    await first.started.stop();

    // One that serves other purposes too stays open; what is made in it is closed.
    chmodSync(dataFolder, 0o755);
    writeFileSync(join(dataFolder, 'index.html'), 'served by another program', { mode: 0o644 });
    const second = await start();
    try {
      const entries = walk(dataFolder);
      expect(open(entries)).toEqual(['. 755', 'index.html 644']);
      if (isRoot) expect(reachedByAStranger(entries)).toEqual([]);
    } finally {
      await endSessions(second.url);
    }
  });
});
