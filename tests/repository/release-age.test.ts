import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { files, read, root } from './checkout.js';

describe('each lock file', () => {
  it.each(files().filter((path) => basename(path) === 'package-lock.json'))(
    'changes only to versions that are 7 days old at least: %s',
    (path) => {
      expect(read(join(dirname(path), '.npmrc')).split('\n')).toContain('min-release-age=7');
    },
  );
});

describe('npm, with the settings of this repository and a package that was published an hour ago', () => {
  const NAME = 'published-an-hour-ago';
  const VERSION = '1.0.0';
  const AGE_MS = 60 * 60_000;
  const manifest = { name: 'project', version: '1.0.0', dependencies: { [NAME]: VERSION } };

  /** Has the project, npm's cache and the package. */
  let folder: string;
  let project: string;
  let tarball: Buffer;
  let registry: Server;
  let npmKnowsTheSetting: boolean;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'streamspace-release-age-'));
    registry = startRegistry();
    await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
    const source = join(folder, 'source');
    write(join(source, 'package.json'), { name: NAME, version: VERSION });
    const packed = await npm(['pack', '--silent'], source);
    expect(packed.ok, packed.output).toBe(true);
    tarball = readFileSync(join(source, `${NAME}-${VERSION}.tgz`));
    const [major = 0, minor = 0] = (await npm(['--version'], folder)).output.trim().split('.').map(Number);
    npmKnowsTheSetting = major > 11 || (major === 11 && minor >= 10);
  }, 60_000);
  afterAll(async () => {
    registry.closeAllConnections();
    await new Promise((resolve) => registry.close(resolve));
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(() => {
    project = mkdtempSync(join(folder, 'project-'));
    write(join(project, 'package.json'), manifest);
    writeFileSync(join(project, '.npmrc'), read('.npmrc'));
  });

  it('does not write it into a lock file, from npm 11.10 on', async () => {
    const { ok, output } = await npm(['install', '--package-lock-only'], project);
    expect(ok, output).toBe(!npmKnowsTheSetting);
    expect(existsSync(join(project, 'package-lock.json'))).toBe(!npmKnowsTheSetting);
  }, 60_000);

  it('does not install it from a lock file by a plain npm ci, from npm 11.10 on', async () => {
    writeLock();
    const { ok, output } = await npm(['ci'], project);
    expect([ok, isInstalled()], output).toEqual([!npmKnowsTheSetting, !npmKnowsTheSetting]);
  }, 60_000);

  it('installs it from a lock file by npm ci as the bootstrap calls it', async () => {
    writeLock();
    const bootstrap = join(root, 'scripts', 'bootstrap.mjs');
    const code = `
      const { installLocked } = await import(process.argv[1]);
      const { ok, output } = await installLocked(process.argv[2]);
      process.stdout.write(output);
      process.exitCode = ok ? 0 : 1;`;
    const args = ['--input-type=module', '-e', code, bootstrap, project];
    const { ok, output } = await run(process.execPath, args, folder, { npm_config_min_release_age: '7' });
    expect([ok, isInstalled()], output).toEqual([true, true]);
    // npm 11.2 to 11.9 warns of a setting that it does not know. The bootstrap shows npm's output only if it failed.
    if (npmKnowsTheSetting) expect(output).not.toContain('min-release-age');
  }, 60_000);

  const registryUrl = (): string => `http://127.0.0.1:${(registry.address() as AddressInfo).port}/`;
  const isInstalled = (): boolean => existsSync(join(project, 'node_modules', NAME, 'package.json'));
  const integrity = (): string => `sha512-${createHash('sha512').update(tarball).digest('base64')}`;

  /** Like ours, it does not say where its packages come from: npm asks the registry. */
  function writeLock(): void {
    write(join(project, 'package-lock.json'), {
      ...manifest,
      lockfileVersion: 3,
      requires: true,
      packages: { '': manifest, [`node_modules/${NAME}`]: { version: VERSION, integrity: integrity() } },
    });
  }

  function startRegistry(): Server {
    return createServer((request, response) => {
      if (request.url?.endsWith('.tgz')) return void response.end(tarball);
      const dist = { tarball: `${registryUrl()}${NAME}-${VERSION}.tgz`, integrity: integrity() };
      response.setHeader('Content-Type', 'application/json');
      response.end(
        JSON.stringify({
          name: NAME,
          'dist-tags': { latest: VERSION },
          versions: { [VERSION]: { name: NAME, version: VERSION, dist } },
          time: { [VERSION]: new Date(Date.now() - AGE_MS).toISOString() },
        }),
      );
    });
  }

  /** The npm that the bootstrap takes. */
  function npm(args: readonly string[], cwd: string): Promise<Outcome> {
    const path = process.env['npm_execpath'];
    return path && basename(path).startsWith('npm') && existsSync(path)
      ? run(process.execPath, [path, ...args], cwd)
      : run('npm', args, cwd);
  }

  /** npm's settings are those of this test alone. */
  function run(
    file: string,
    args: readonly string[],
    cwd: string,
    more: Record<string, string> = {},
  ): Promise<Outcome> {
    const isKept = (name: string): boolean => !/^npm_/i.test(name) || name === 'npm_execpath';
    const env = {
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => isKept(name))),
      npm_config_registry: registryUrl(),
      npm_config_cache: join(folder, 'cache'),
      npm_config_userconfig: join(folder, 'npmrc-of-the-user'),
      npm_config_update_notifier: 'false',
      ...more,
    };
    return new Promise((resolve) => {
      execFile(file, args, { cwd, env }, (error, stdout, stderr) =>
        resolve({ ok: error === null, output: stdout + stderr }),
      );
    });
  }
});

interface Outcome {
  readonly ok: boolean;
  readonly output: string;
}

function write(path: string, content: unknown): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, JSON.stringify(content));
}
