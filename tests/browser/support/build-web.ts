import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** A page that was built into a folder of its own. */
export interface BuiltPage extends AsyncDisposable {
  readonly folder: string;
}

/** apps/web, built as it is shipped. */
export function buildWeb(): Promise<BuiltPage> {
  return build('apps/web');
}

/** A page that is nothing but a viewer; built by the configuration of apps/web. */
export function buildEmbed(): Promise<BuiltPage> {
  return build('tests/browser/support/embed', ['--config', 'apps/web/vite.config.ts']);
}

/** By a process of its own: a build for production must not see that it is part of a test. */
async function build(source: string, more: readonly string[] = []): Promise<BuiltPage> {
  const folder = await mkdtemp(join(tmpdir(), 'streamspace-web-'));
  const vite = join(ROOT, 'node_modules/vite/bin/vite.js');
  await promisify(execFile)(
    process.execPath,
    [vite, 'build', source, '--outDir', folder, '--emptyOutDir', '--logLevel', 'warn', ...more],
    { cwd: ROOT, env: { ...process.env, NODE_ENV: 'production' }, timeout: 60_000 },
  );
  return {
    folder,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
