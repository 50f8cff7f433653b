import { accessSync, constants, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './bootstrap.mjs';
import { run } from './child.mjs';
import { cleanEnvironment } from './environment.mjs';

/** Where `npm start` keeps the snapshot that new data folders of this checkout begin as (apps/control-plane reads it). */
const checkoutSnapshot = join(root, '.artifacts', 'database.snapshot');

/** Longest time that making a snapshot may take, in ms. It takes 4 s, and more where the machine has other work. */
const LIMIT_MS = 5 * 60_000;
/** The lowest priority. */
const LOWEST = 19;
/** Signals that a terminal or a service manager sends to the whole group. */
const STOPS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** Writes a snapshot of the sources' database to `path`, in a process of its own. Resolves like `run`. */
export async function makeSnapshot(path, { signal, nice = 0 } = {}) {
  const temporary = mkdtempSync(join(tmpdir(), 'streamspace-snapshot-'));
  const remove = () => rmSync(temporary, { recursive: true, force: true, maxRetries: 3 });
  process.once('exit', remove);
  try {
    const tsx = pathToFileURL(join(root, 'node_modules', 'tsx', 'dist', 'loader.mjs')).href;
    const make = join(root, 'scripts', 'snapshot', 'make.mjs');
    const args = ['--conditions=@streamspace/source', '--import', tsx, make, path, temporary, String(nice)];
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

/**
 * Makes the snapshot of this checkout unless the present one matches, with the lowest priority. For a process that runs
 * the control plane from its sources already. A failure is one warning.
 */
export async function refreshCheckoutSnapshot() {
  const ending = new AbortController();
  const end = () => ending.abort();
  // Before the temporary folder is removed.
  process.once('exit', end);
  try {
    const { isCurrentSnapshot } = await import('../packages/control-plane/src/pglite/snapshot.ts');
    if ((await isCurrentSnapshot(checkoutSnapshot)) || !canWrite(dirname(checkoutSnapshot))) return;
    const result = await makeSnapshot(checkoutSnapshot, { signal: ending.signal, nice: LOWEST });
    if (result.ok || STOPS.includes(result.killedBy)) return;
    throw new Error(errorLine(result.output) || (result.killedBy ?? `exit code ${result.code}`));
  } catch (error) {
    console.warn(
      `WARNING: ${checkoutSnapshot} cannot be made (${error.message}). Nothing depends on it; new data folders take 2 s longer.`,
    );
  } finally {
    process.removeListener('exit', end);
  }
}

function canWrite(folder) {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** The line of an uncaught error that has its message. */
function errorLine(output) {
  return output.split('\n').find((line) => /^\w*Error\b/.test(line)) ?? '';
}
