import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BootstrapError, ensureInstalled, root } from './bootstrap.mjs';
import { run } from './child.mjs';
import { cleanEnvironment } from './environment.mjs';
import { makeSnapshot } from './snapshot.mjs';

/** Where a package has the snapshot of its database, in its folder (packages/control-plane/src/pglite/snapshot.ts). */
const SNAPSHOTS = { '@streamspace/control-plane': 'dist/pglite/database.snapshot' };

/** Every publishable package: `{name, folder, manifest}`, dependencies before those that need them. */
export function packagesInOrder() {
  const all = readdirSync(join(root, 'packages')).map((folder) => {
    const manifest = JSON.parse(readFileSync(join(root, 'packages', folder, 'package.json'), 'utf8'));
    return { name: manifest.name, folder: join(root, 'packages', folder), manifest };
  });
  const ordered = [];
  const visit = (one, path = []) => {
    if (ordered.includes(one)) return;
    if (path.includes(one)) throw new BootstrapError(`Packages need each other in a circle: ${one.name}`);
    const needs = { ...one.manifest.dependencies, ...one.manifest.peerDependencies };
    for (const other of all) if (other.name in needs) visit(other, [...path, one]);
    ordered.push(one);
  };
  for (const one of all) visit(one);
  return ordered;
}

/** Builds one package into its dist. */
export async function buildPackage({ name, folder }, signal) {
  const tsup = join(root, 'node_modules', 'tsup', 'dist', 'cli-default.js');
  const built = await run(process.execPath, [tsup, '--silent'], {
    cwd: folder,
    env: cleanEnvironment(),
    detached: true,
    signal,
  });
  if (!built.ok || !(name in SNAPSHOTS)) return built;
  const made = await makeSnapshot(join(folder, SNAPSHOTS[name]), { signal });
  return { ...made, seconds: built.seconds + made.seconds };
}

export async function main() {
  try {
    await ensureInstalled();
    for (const one of packagesInOrder()) {
      const result = await buildPackage(one);
      if (!result.ok) {
        console.error(result.output.trimEnd());
        throw new BootstrapError(`Building ${one.name} failed; the reason is above.`);
      }
      console.log(`${one.name} (${result.seconds.toFixed(1)} s)`);
    }
  } catch (error) {
    console.error(error.name === 'BootstrapError' ? `ERROR: ${error.message}` : error);
    process.exit(1);
  }
}
