// Uses Node's own modules only: it runs before anything is installed.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { takeLockFolder } from '../apps/control-plane/src/early/lock-folder.mjs';
import { run } from './child.mjs';
import { cleanEnvironment } from './environment.mjs';

/** The checkout. */
export const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');

const lockFile = join(root, 'package-lock.json');
const stamp = join(root, 'node_modules', '.streamspace-installed');

/** How long another run in this checkout may take to install or build, in ms. Past it: an error that names its pid. */
const WAIT_FOR_OTHER_RUN_MS = 10 * 60_000;

/** Most lines of npm's output that are shown when it fails: the reason comes first, and then all of its help. */
const SHOWN_LINES = 25;

/**
 * `npm ci` obeys min-release-age too. The age was checked when the lock file changed; an urgent fix in it, or a clock
 * that is slow, must not stop an install. An npm before 11.10 does not know the option, and installs too.
 */
const CI_OPTIONS = [
  '--include=dev',
  '--include=optional',
  '--ignore-scripts',
  '--no-audit',
  '--no-fund',
  '--min-release-age=0',
];

/** Something that a person can mend; its message is the one line to show. */
export class BootstrapError extends Error {
  name = 'BootstrapError';
}

/** Whether node_modules is what the lock file asks for, on this Node and machine. @throws BootstrapError */
export function isInstalled() {
  const wanted = fingerprint();
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted;
}

/** Installs what the lock file names unless that is done. @throws BootstrapError */
export async function ensureInstalled({ quiet = false, signal } = {}) {
  if (isInstalled()) return;
  await exclusively(async (signal) => {
    if (isInstalled()) return;
    if (!quiet) console.log('Installing dependencies (about 20 s)…');
    const result = await installLocked(root, { signal });
    signal.throwIfAborted();
    if (!result.ok) {
      console.error(result.output.trimEnd().split('\n').slice(0, SHOWN_LINES).join('\n'));
      throw new BootstrapError(
        `Installing the dependencies failed (npm ci, ${result.killedBy ?? `exit code ${result.code}`}); npm's own words are above. Mend that and run the same command again.`,
      );
    }
    writeFileSync(stamp, fingerprint());
  }, signal);
}

/** Installs exactly what the lock file of a folder names, development and optional dependencies included. */
export function installLocked(folder, { signal } = {}) {
  const { command, args } = npmCommand();
  return run(command, [...args, 'ci', ...CI_OPTIONS], { cwd: folder, env: cleanEnvironment(), signal });
}

/** Runs `work` while no other run in this checkout installs or builds. Its signal aborts also when the lock is lost. */
export async function exclusively(work, signal) {
  const lock = await takeLockFolder(join(root, '.artifacts', 'bootstrap.lock'), {
    waitMs: WAIT_FOR_OTHER_RUN_MS,
    signal,
    onWait: (holder) => console.log(`Waiting for another run in this checkout (pid ${holder.pid})…`),
  }).catch((error) => {
    if (error.code === 'EACCES' || error.code === 'EROFS') {
      throw new BootstrapError(
        `${root}: not writable (${error.code}), and there are dependencies to install or pages to build. Run this as the user who owns the checkout.`,
      );
    }
    throw error;
  });
  try {
    return await work(AbortSignal.any([lock.lost, ...(signal ? [signal] : [])]));
  } finally {
    lock.release();
  }
}

function fingerprint() {
  return createHash('sha256')
    .update(readLockFile())
    .update(`\n${process.versions.modules} ${process.platform} ${process.arch}`)
    .digest('hex');
}

function readLockFile() {
  try {
    return readFileSync(lockFile, 'utf8');
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    throw new BootstrapError(
      'package-lock.json is missing from the checkout, so it is not known what to install. Bring it back with: git checkout -- package-lock.json',
    );
  }
}

/** The npm that runs us, and otherwise the one in PATH. */
export function npmCommand() {
  const npm = process.env.npm_execpath;
  if (npm && basename(npm).startsWith('npm') && existsSync(npm))
    return { command: process.execPath, args: [npm] };
  return { command: 'npm', args: [] };
}
