import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { BootstrapError, npmCommand, root } from '../bootstrap.mjs';
import { cleanEnvironment } from '../environment.mjs';

/** Largest document that is read from npm, in bytes; past it: an error. There are about 500 bytes a component. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * The CycloneDX document of what the workspaces need at run time, as `npm sbom` makes it from the lock file.
 *
 * `npm sbom --omit dev` leaves out each package that any workspace has as a development dependency, also where another
 * one needs it at run time (pg, for example). So npm reads a copy that has no development dependencies.
 *
 * @throws BootstrapError with npm's own words
 */
export async function makeSbom() {
  const temporary = mkdtempSync(join(tmpdir(), 'streamspace-sbom-'));
  try {
    // npm takes the name of the root from its folder.
    const folder = join(temporary, readJson(join(root, 'package.json')).name);
    writeRuntimeCopy(folder);
    return withFullNames(await runNpmSbom(folder));
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

async function runNpmSbom(folder) {
  const { command, args } = npmCommand();
  const options = { cwd: folder, env: cleanEnvironment(), maxBuffer: MAX_BYTES };
  const sbom = [...args, 'sbom', '--sbom-format=cyclonedx', '--package-lock-only'];
  try {
    const { stdout } = await promisify(execFile)(command, sbom, options);
    return JSON.parse(stdout);
  } catch (error) {
    throw new BootstrapError(`npm sbom failed: ${(error.stderr || error.message).trim()}`, { cause: error });
  }
}

/** The lock file and the manifests that it knows, without development dependencies. */
function writeRuntimeCopy(folder) {
  const lock = readJson(join(root, 'package-lock.json'));
  const packages = Object.entries(lock.packages).filter(([, { dev }]) => dev !== true);
  writeJson(join(folder, 'package-lock.json'), {
    ...lock,
    packages: Object.fromEntries(packages.map(([path, entry]) => [path, withoutDev(entry)])),
  });
  const isOurs = (path) => !path.split('/').includes('node_modules');
  for (const [path] of packages.filter(([path]) => isOurs(path))) {
    const manifest = join(path, 'package.json');
    writeJson(join(folder, manifest), withoutDev(readJson(join(root, manifest))));
  }
}

function withoutDev({ devDependencies: _, ...rest }) {
  return rest;
}

/** npm calls a workspace by its folder's name, and two of ours are called alike. */
function withFullNames(sbom) {
  const components = unique(sbom.components, 'bom-ref').map((component) => ({
    ...component,
    name: component['bom-ref'].slice(0, component['bom-ref'].lastIndexOf('@')),
  }));
  return { ...sbom, components, dependencies: unique(sbom.dependencies, 'ref') };
}

/** npm 10 lists what is installed in two places twice, which CycloneDX does not allow. */
function unique(items, key) {
  return [...new Map(items.map((item) => [item[key], item])).values()];
}

function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}

function writeJson(path, value) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, JSON.stringify(value));
}
