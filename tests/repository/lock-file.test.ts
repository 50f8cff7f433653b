import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { files, read, readManifest, workspaces } from './checkout.js';

interface Locked {
  version?: string;
  link?: boolean;
  dependencies?: Record<string, string>;
}

const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, Locked> };

it.each(files().filter((path) => basename(path) === 'package-lock.json'))(
  '%s names no server that packages come from',
  (path) => {
    expect(read(path)).not.toContain(`"resolved": "${'http'}`);
  },
);

describe('the lock file', () => {
  it('knows every workspace with the dependencies that it has now', () => {
    for (const folder of [...workspaces('packages'), ...workspaces('apps')]) {
      expect(lock.packages[folder]?.dependencies ?? {}, folder).toEqual(
        readManifest(folder).dependencies ?? {},
      );
    }
  });

  it('has the native part of the bundlers for the systems that people use', () => {
    for (const system of ['linux-x64-gnu', 'linux-arm64-gnu', 'darwin-arm64', 'darwin-x64']) {
      expect(lock.packages, system).toHaveProperty([`node_modules/@rollup/rollup-${system}`]);
      expect(lock.packages, system).toHaveProperty([`node_modules/@rolldown/binding-${system}`]);
    }
  });
});
