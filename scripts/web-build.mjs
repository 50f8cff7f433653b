import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { BootstrapError, exclusively, root } from './bootstrap.mjs';
import { run } from './child.mjs';
import { cleanEnvironment } from './environment.mjs';

const web = join(root, 'apps', 'web');
/** In the built folder, so that it goes when that goes. Files whose names start with a dot are not served. */
const stamp = join(web, 'dist', '.inputs');

/** What the page is made from: apps/web, and the packages that end up in it (import-boundaries.json). */
const inputs = [
  'package-lock.json',
  'tsconfig.base.json',
  'apps/web',
  ...['client', 'viewer', 'protocol', 'rfb', 'vnc-tunnel'].flatMap((name) => [
    `packages/${name}/package.json`,
    `packages/${name}/src`,
  ]),
];

/** Builds apps/web/dist unless it was made from the present sources. @throws BootstrapError */
export async function ensureWebBuilt({ quiet = false, signal } = {}) {
  if (isBuilt(fingerprint())) return;
  await exclusively(async (signal) => {
    const wanted = fingerprint();
    if (isBuilt(wanted)) return;
    if (!quiet) console.log('Building the web page (about 2 s)…');
    rmSync(stamp, { force: true });
    const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js');
    const result = await run(process.execPath, [vite, 'build', '--logLevel', 'warn'], {
      cwd: web,
      env: cleanEnvironment(),
      signal,
    });
    signal.throwIfAborted();
    if (!result.ok) {
      console.error(result.output.trimEnd());
      throw new BootstrapError('Building the web page failed; the reason is above.');
    }
    writeFileSync(stamp, wanted);
  }, signal);
}

function isBuilt(wanted) {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted;
}

function fingerprint() {
  const hash = createHash('sha256');
  for (const file of inputs.flatMap((input) => filesOf(join(root, input)))) {
    hash
      .update(`${relative(root, file)}\0`)
      .update(readFileSync(file))
      .update('\0');
  }
  return hash.digest('hex');
}

function filesOf(path) {
  if (!existsSync(path)) return [];
  let entries;
  try {
    entries = readdirSync(path, { withFileTypes: true });
  } catch (error) {
    if (error.code === 'ENOTDIR') return [path];
    throw error;
  }
  return entries
    .filter(({ name }) => !['node_modules', 'dist', 'test'].includes(name) && !name.startsWith('.'))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => (entry.isDirectory() ? filesOf(join(path, entry.name)) : [join(path, entry.name)]));
}
