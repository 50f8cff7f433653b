import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readManifest, root, workspaces, type Manifest } from './checkout.js';

const all = [...workspaces('packages'), ...workspaces('apps')];
const versions = new Map(all.map((folder) => [readManifest(folder).name, readManifest(folder).version]));

describe.each(workspaces('packages'))('%s', (folder) => {
  const manifest = readManifest(folder);

  it('publishes what was built, and nothing else', () => {
    expect(manifest.private).toBeUndefined();
    expect(manifest.files).toEqual(['dist']);
    expect(manifest.type).toBe('module');
    expect(manifest.license).toBe('MIT');
    expect(manifest.sideEffects).toBe(false);
    expect(manifest.engines).toEqual({ node: '>=20.19' });
  });

  it('is called like its folder', () => {
    expect(manifest.name).toBe(`@streamspace/${folder.replace('packages/', '')}`);
  });

  it('names for each entry its source, its types and its code, in this order', () => {
    for (const [entry, target] of entries(manifest)) {
      expect(Object.keys(target), entry).toEqual(['@streamspace/source', 'types', 'default']);
      const source = target['@streamspace/source'] ?? '';
      const built = source.replace('./src/', './dist/').replace(/\.ts$/, '');
      expect(target['types']).toBe(`${built}.d.ts`);
      expect(target['default']).toBe(`${built}.js`);
      expect(existsSync(join(root, folder, source)), `${folder}/${source} exists`).toBe(true);
    }
  });

  it('has no script that would run when it is installed', () => {
    expect(manifest.scripts).toBeUndefined();
  });
});

describe('the workspaces', () => {
  it('have one version', () => {
    expect(new Set(versions.values())).toEqual(new Set([readManifest('.').version]));
  });

  it.each(all)('%s names the others by their exact version', (folder) => {
    const { dependencies, devDependencies, peerDependencies, optionalDependencies } = readManifest(folder);
    const ranges = { ...dependencies, ...devDependencies, ...peerDependencies, ...optionalDependencies };
    for (const [name, range] of Object.entries(ranges)) {
      if (name.startsWith('@streamspace/')) expect(range, name).toBe(versions.get(name));
    }
  });
});

function entries(manifest: Manifest): [string, Record<string, string>][] {
  return Object.entries(manifest.exports ?? {}).flatMap(([entry, target]) =>
    typeof target === 'string' ? [] : [[entry, target]],
  );
}
