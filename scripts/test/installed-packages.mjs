import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../bootstrap.mjs';
import { buildPackage, packagesInOrder } from '../build-packages.mjs';
import { run } from '../child.mjs';
import { forEach } from './at-once.mjs';

/**
 * Builds and packs every publishable package, then installs all of them together into an empty folder, as a user
 * would. Done once a run: later callers get the same result. The folder exists until the test command ends.
 *
 * Resolves with `{folder, packages, isInstalled, passed, failed}`; a package that was packed has its `tarball`.
 */
export function installPackages(context) {
  const { memory } = context;
  if (!memory.has('installed packages')) memory.set('installed packages', build(context));
  return memory.get('installed packages');
}

async function build(context) {
  const packages = packagesInOrder();
  const folder = mkdtempSync(join(tmpdir(), 'streamspace-packages-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const result = { folder, packages, isInstalled: false, passed: 0, failed: 0 };
  const check = async (what, outcome) => {
    const { ok, output } = await outcome;
    if (ok) result.passed += 1;
    else {
      result.failed += 1;
      console.error(`✗ ${what}\n${output.trimEnd()}`);
    }
    return ok;
  };
  try {
    await forEach(packages, async (one) => {
      if (!(await check(`build ${one.name}`, buildPackage(one, context.signal)))) return;
      if (await check(`pack ${one.name}`, pack(one, folder, context)))
        one.tarball = join(folder, tarballName(one));
    });
  } finally {
    for (const one of packages) rmSync(join(one.folder, 'dist'), { recursive: true, force: true });
  }
  if (result.failed === 0)
    result.isInstalled = await check('install all tarballs', install(packages, folder, context));
  return result;
}

async function pack(one, folder, { environment, signal }) {
  const args = ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder];
  return run('npm', args, { cwd: one.folder, env: environment, signal });
}

function tarballName({ manifest }) {
  return `${manifest.name.replace('@', '').replace('/', '-')}-${manifest.version}.tgz`;
}

/** With what a user would bring: the optional peers, in the versions that the tests ran with. */
async function install(packages, folder, { environment, signal }) {
  const locked = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const own = new Set(packages.map((one) => one.name));
  const peers = packages
    .flatMap((one) => Object.keys(one.manifest.peerDependencies ?? {}))
    .filter((name) => !own.has(name))
    .map((name) => [name, locked[`node_modules/${name}`].version]);
  const tarballs = packages.map((one) => [one.name, `file:${tarballName(one)}`]);
  const dependencies = Object.fromEntries([...tarballs, ...peers]);
  // Our packages name each other by version, and no registry has them.
  const overrides = Object.fromEntries(tarballs);
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'user', private: true, type: 'module', dependencies, overrides }),
  );
  const args = ['install', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund'];
  return run('npm', args, { cwd: folder, env: environment, signal });
}
