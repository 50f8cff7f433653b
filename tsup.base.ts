import { readFileSync } from 'node:fs';
import { defineConfig } from 'tsup';

/** The only file that knows the bundler: every package is built from the entries that its `exports` name. */
interface Manifest {
  exports: Record<string, string | Record<string, string>>;
}

/** tsup configuration for the package in the current folder. */
export function packageBuild() {
  const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
  const entry: Record<string, string> = {};
  for (const target of Object.values(manifest.exports)) {
    if (typeof target === 'string') continue;
    const source = target['@streamspace/source'];
    const output = target['default'];
    if (!source || !output) throw new Error('an entry in "exports" lacks its source or its default');
    entry[output.replace('./dist/', '').replace(/\.js$/, '')] = source;
  }
  return defineConfig({
    entry,
    format: 'esm',
    target: 'es2023',
    platform: 'neutral',
    dts: true,
    sourcemap: true,
    clean: true,
    splitting: true,
    treeshake: false,
  });
}
