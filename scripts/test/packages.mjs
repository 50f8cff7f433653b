import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from '../bootstrap.mjs';
import { buildPackage, packagesInOrder } from '../build-packages.mjs';
import { run } from '../child.mjs';

/** Builds and checks at once: as many as there are cores on a small machine. */
const AT_ONCE = 2;

/** Packages that run in browsers only: that they are found must do. */
const BROWSER_ONLY = new Set(['@streamspace/viewer']);

/**
 * Builds, packs and lints every publishable package, then installs all of them together into an empty folder, as a
 * user would, and imports each of their entries.
 */
export async function checkPackages(context) {
  const packages = packagesInOrder();
  const folder = mkdtempSync(join(tmpdir(), 'streamspace-packages-'));
  const result = { passed: 0, failed: 0 };
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
      if (!(await check(`pack ${one.name}`, pack(one, folder, context)))) return;
      const tarball = join(folder, tarballName(one));
      await check(`publint ${one.name}`, tool('publint/src/cli.js', ['run', tarball, '--strict'], context));
      await check(
        `attw ${one.name}`,
        tool('@arethetypeswrong/cli/dist/index.js', [tarball, '--profile', 'esm-only'], context),
      );
    });
    if (result.failed === 0) {
      await check('install all tarballs', install(packages, folder, context));
      const entries = packages.flatMap(({ name, manifest }) =>
        Object.keys(manifest.exports)
          .filter((entry) => entry !== './package.json')
          .map((entry) => join(name, entry)),
      );
      await forEach(entries, (name) => check(`import ${name}`, importEntry(name, folder, context)));
      await check('a new database begins as the snapshot in the tarball', openShipped(folder, context));
      await check('the starter of agent-core passes the kit', testStarter(folder, context));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
    for (const one of packages) rmSync(join(one.folder, 'dist'), { recursive: true, force: true });
  }
  return result;
}

async function forEach(items, work) {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

function tool(path, args, { environment, signal }) {
  return run(process.execPath, [join(root, 'node_modules', path), ...args], {
    cwd: root,
    env: environment,
    signal,
  });
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

/** The platform that authors copy, from the installed package and with its own test. */
function testStarter(folder, { environment, signal }) {
  const tsx = pathToFileURL(join(root, 'node_modules/tsx/dist/loader.mjs')).href;
  const test = 'node_modules/@streamspace/agent-core/dist/starter/platform.test.ts';
  return run(process.execPath, ['--import', tsx, '--test', test], { cwd: folder, env: environment, signal });
}

/** Opens a new database by the installed package; only one that began as the snapshot is migrated already. */
function openShipped(folder, { environment, signal }) {
  const code = `
    import { pgliteDatabase } from '@streamspace/control-plane/pglite';
    const said = [];
    const database = await pgliteDatabase({ dataFolder: 'db', onSnapshotUnused: (why) => said.push(why) });
    try {
      const { rows } = await database.query("select to_regclass('schema_migrations') is not null as migrated");
      if (!rows[0].migrated) throw new Error(said[0] ?? 'the package has no snapshot');
    } finally {
      await database[Symbol.asyncDispose]();
    }`;
  return run(process.execPath, ['--input-type=module', '-e', code], {
    cwd: folder,
    env: environment,
    signal,
  });
}

function importEntry(name, folder, { environment, signal }) {
  const onlyFind = BROWSER_ONLY.has(name);
  const code = onlyFind
    ? `const { existsSync } = await import('node:fs');
       if (!existsSync(new URL(import.meta.resolve(${JSON.stringify(name)})))) throw new Error('no such file');`
    : `if (Object.keys(await import(${JSON.stringify(name)})).length === 0) throw new Error('exports nothing');`;
  return run(process.execPath, ['--input-type=module', '-e', code], {
    cwd: folder,
    env: environment,
    signal,
  });
}
