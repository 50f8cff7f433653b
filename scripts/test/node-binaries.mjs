import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { exclusively, installLocked, root } from '../bootstrap.mjs';
import { run } from '../child.mjs';

/** Has a folder for each major version that StreamSpace is tested on. It pins one version for each kind of machine. */
const NODES = join(root, 'scripts', 'test', 'nodes');

export const TESTED_MAJORS = readdirSync(NODES).map(Number).toSorted();

/**
 * The pinned Node of a major version: `{path, version}`. It is installed from npm unless that is done. Where this
 * machine cannot have it: `{reason}`.
 */
export async function nodeBinary(major, signal) {
  const folder = join(NODES, String(major));
  const name = `node-${process.platform}-${process.arch}`;
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const version = manifest.optionalDependencies[name];
  if (version === undefined) return { reason: `no Node ${major} for ${process.platform} on ${process.arch}` };
  const path = join(folder, 'node_modules', name, 'bin', 'node');
  if ((await versionOf(path)) === version) return { path, version };
  console.log(`Installing Node ${version}…`);
  // npm succeeds also where it could not bring an optional dependency.
  const { output } = await exclusively((signal) => installLocked(folder, { signal }), signal);
  const installed = await versionOf(path);
  if (installed === version) return { path, version };
  if (output.trim() !== '') console.error(output.trimEnd());
  return { reason: `Node ${version} could not be installed, or does not run here` };
}

async function versionOf(path) {
  if (!existsSync(path)) return undefined;
  const result = await run(path, ['--version']).catch((error) => ({ ok: false, output: error.message }));
  return result.ok ? result.output.trim().replace(/^v/, '') : undefined;
}
