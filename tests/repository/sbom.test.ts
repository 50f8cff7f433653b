import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { read, readManifest, root, workspaces } from './checkout.js';

interface Sbom {
  bomFormat: string;
  specVersion: string;
  metadata: { component: { name: string; version: string } };
  components: { name: string; version: string; 'bom-ref': string; purl: string; hashes?: unknown[] }[];
  dependencies: { ref: string; dependsOn: string[] }[];
}

interface Locked {
  name?: string;
  version?: string;
  link?: boolean;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
}

const locked = (JSON.parse(read('package-lock.json')) as { packages: Record<string, Locked> }).packages;
const folders = [...workspaces('packages'), ...workspaces('apps')];

/** Where Node finds a package that is asked for in `folder`: the nearest node_modules that has it. */
function resolve(folder: string, name: string): string | undefined {
  for (let at = folder; ; at = at.includes('/') ? at.slice(0, at.lastIndexOf('/')) : '') {
    const path = at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`;
    if (locked[path]) return path;
    if (at === '') return undefined;
  }
}

/** What can be reached from the workspaces by other than development dependencies: `name@version`. */
function neededAtRunTime(): Set<string> {
  const seen = new Set<string>();
  const found = new Set<string>();
  const visit = (folder: string): void => {
    if (seen.has(folder)) return;
    seen.add(folder);
    const { dependencies, optionalDependencies, peerDependencies, ...entry } = locked[folder]!;
    const name = entry.name ?? folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length);
    if (!entry.link) found.add(`${name}@${entry.version}`);
    for (const other of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) {
      const path = resolve(folder, other);
      if (path) visit(path);
    }
  };
  for (const folder of folders) visit(folder);
  return found;
}

let sbom: Sbom;
beforeAll(() => {
  const folder = mkdtempSync(join(tmpdir(), 'streamspace-sbom-test-'));
  try {
    const file = join(folder, 'sbom.json');
    execFileSync(process.execPath, [join(root, 'scripts', 'sbom.mjs'), file], { stdio: 'pipe' });
    sbom = JSON.parse(readFileSync(file, 'utf8')) as Sbom;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 60_000);

describe('the SBOM', () => {
  it('is a CycloneDX document about this repository', () => {
    expect(sbom.bomFormat).toBe('CycloneDX');
    expect(sbom.specVersion).toMatch(/^1\.\d+$/);
    const { name, version } = readManifest('.');
    expect(sbom.metadata.component).toMatchObject({ name, version });
  });

  it('lists every package and app by its name', () => {
    const listed = sbom.components.map(({ name, version }) => ({ name, version }));
    for (const folder of folders) {
      const { name, version } = readManifest(folder);
      expect(listed).toContainEqual({ name, version });
    }
  });

  it('lists what they need at run time, and nothing else', () => {
    expect(sbom.components.map((one) => one['bom-ref']).toSorted()).toEqual(
      [...neededAtRunTime()].toSorted(),
    );
  });

  it('lists a package that one workspace needs at run time and another one only for its tests', () => {
    const names = sbom.components.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['pg', '@electric-sql/pglite']));
  });

  it('lists no tool of the build or of the tests', () => {
    const names = sbom.components.map(({ name }) => name);
    for (const tool of ['vitest', 'eslint', 'typescript', 'tsup', 'vite', 'playwright-core'])
      expect(names).not.toContain(tool);
  });

  it('has for each third-party component the hash that the lock file has', () => {
    for (const { name, hashes } of sbom.components)
      if (!name.startsWith('@streamspace/')) expect(hashes, name).toHaveLength(1);
  });

  it('says which component depends on which', () => {
    const { dependsOn } = sbom.dependencies.find(({ ref }) => ref.startsWith('@streamspace/hub@'))!;
    expect(dependsOn).toEqual(expect.arrayContaining([expect.stringMatching(/^ws@/)]));
    const refs = sbom.dependencies.map(({ ref }) => ref);
    expect(refs).toHaveLength(new Set(refs).size);
  });
});
