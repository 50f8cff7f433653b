import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EmbeddedApp } from './support/embedded-app.js';

/** For a machine that is busy with other tests, in ms. */
const TIMEOUT_MS = 300_000;

let dataFolder: string;
const apps: EmbeddedApp[] = [];

beforeEach(() => {
  dataFolder = mkdtempSync(join(tmpdir(), 'streamspace-embedded-lock-'));
});

afterEach(async () => {
  for (const app of apps.splice(0)) await app.stop('SIGKILL');
  rmSync(dataFolder, { recursive: true, force: true });
}, TIMEOUT_MS);

function start(): EmbeddedApp {
  const app = new EmbeddedApp({ dataFolder, environment: { STREAMSPACE_XVNC: 'off' } });
  apps.push(app);
  return app;
}

const opened = (app: EmbeddedApp): Promise<string> => app.says(/^Open this: (\S+)$/);

/** Makes the lock look as if it had been taken on another machine. */
function moveHolderElsewhere(): void {
  const file = join(dataFolder, 'lock', 'owner.json');
  const owner = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  writeFileSync(`${file}.new`, JSON.stringify({ ...owner, boot: 'another', startTime: 'another/1' }));
  renameSync(`${file}.new`, file);
}

/** What is in a folder, byte for byte. */
function contentOf(folder: string): Map<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return new Map(
    files.map(({ parentPath, name }) => {
      const path = join(parentPath, name);
      return [relative(folder, path), createHash('sha256').update(readFileSync(path)).digest('hex')];
    }),
  );
}

/** Sends a login, which writes to the database, and does not wait for the answer. */
function sendLogin(url: URL): void {
  const body = JSON.stringify({ username: 'ada', password: 'not-the-password' });
  const headers = { 'Content-Type': 'application/json', 'Content-Length': String(body.length) };
  request(new URL('/api/v1/auth/login', url), { method: 'POST', headers })
    .on('error', () => undefined)
    .end(body);
}

describe('the data folder of the embedded mode', () => {
  it(
    'is taken over from an app that was stopped elsewhere, and that app ends and has written nothing',
    { timeout: TIMEOUT_MS },
    async () => {
      const first = start();
      const url = new URL(await opened(first));
      moveHolderElsewhere();
      first.child.kill('SIGSTOP');
      // Work that waits for it.
      for (let count = 0; count < 5; count++) sendLogin(url);

      const second = start();
      await second.says(/^INFO: Waiting for the data folder: held by pid \d+ on \S+ since /);
      await opened(second);
      await second.stop('SIGKILL');
      const before = contentOf(join(dataFolder, 'db'));

      first.child.kill('SIGCONT');
      await first.closed;
      expect(first.child.exitCode).toBe(1);
      expect(first.lines.at(-1)).toMatch(
        /^ERROR: STREAMSPACE_DATA_DIR=.*: .*\/lock is not held by this process \(pid \d+ on \S+\) any more: another process took it over, or it was deleted\. This process ends/,
      );
      expect(contentOf(join(dataFolder, 'db'))).toEqual(before);
      expect(existsSync(join(dataFolder, 'lock', 'owner.json'))).toBe(true);
    },
  );

  it(
    'is kept by an app that serves, and the refused one says how to undo it',
    { timeout: TIMEOUT_MS },
    async () => {
      const first = start();
      await opened(first);
      moveHolderElsewhere();
      const second = start();
      await once(second.child, 'close');
      expect(second.child.exitCode).toBe(1);
      expect(second.lines.at(-1)).toMatch(
        /^ERROR: STREAMSPACE_DATA_DIR=.*: in use by pid \d+ on \S+ since \S+, last seen alive \S+; stop that process, or, if that machine or container no longer runs it, delete \S+\/lock, or choose another folder$/,
      );
      await first.stop();
      expect(first.lines.at(-1)).toBe('INFO: Stopped');
    },
  );
});
