import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './bootstrap.mjs';
import { run } from './child.mjs';
import { cleanEnvironment } from './environment.mjs';

/** Longest time that making a snapshot may take, in ms. It takes 4 s, and more where the machine has other work. */
const LIMIT_MS = 5 * 60_000;

/** Writes a snapshot of the sources' database to `path`, in a process of its own. Resolves like `run`. */
export async function makeSnapshot(path, { signal } = {}) {
  const temporary = mkdtempSync(join(tmpdir(), 'streamspace-snapshot-'));
  const remove = () => rmSync(temporary, { recursive: true, force: true, maxRetries: 3 });
  process.once('exit', remove);
  try {
    const tsx = pathToFileURL(join(root, 'node_modules', 'tsx', 'dist', 'loader.mjs')).href;
    const make = join(root, 'scripts', 'snapshot', 'make.mjs');
    const args = ['--conditions=@streamspace/source', '--import', tsx, make, path, temporary];
    return await run(process.execPath, args, {
      cwd: root,
      env: cleanEnvironment(),
      signal,
      timeoutMs: LIMIT_MS,
    });
  } finally {
    process.removeListener('exit', remove);
    remove();
  }
}
