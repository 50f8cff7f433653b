import { join } from 'node:path';
import { run } from '../child.mjs';

/** Packages that run in browsers only: that they are found must do. */
const BROWSER_ONLY = new Set(['@streamspace/viewer']);

/** The names by which the packages are imported, subpaths included. */
export function entriesOf(packages) {
  return packages.flatMap((one) =>
    Object.keys(one.manifest.exports)
      .filter((entry) => entry !== './package.json')
      .map((entry) => join(one.name, entry)),
  );
}

/** Imports an entry of the packages that are installed in `folder`. */
export function importEntry(name, folder, context) {
  const onlyFind = BROWSER_ONLY.has(name);
  const code = onlyFind
    ? `const { existsSync } = await import('node:fs');
       if (!existsSync(new URL(import.meta.resolve(${JSON.stringify(name)})))) throw new Error('no such file');`
    : `if (Object.keys(await import(${JSON.stringify(name)})).length === 0) throw new Error('exports nothing');`;
  return runCode(code, folder, context);
}

/** Opens a new database by the installed package; only one that began as the snapshot is migrated already. */
export function openShippedDatabase(folder, context) {
  const code = `
    import { pgliteDatabase } from '@streamspace/control-plane/pglite';
    const said = [];
    const database = await pgliteDatabase({ dataFolder: 'db-' + process.version, onSnapshotUnused: (why) => said.push(why) });
    try {
      const { rows } = await database.query("select to_regclass('schema_migrations') is not null as migrated");
      if (!rows[0].migrated) throw new Error(said[0] ?? 'the package has no snapshot');
    } finally {
      await database[Symbol.asyncDispose]();
    }`;
  return runCode(code, folder, context);
}

function runCode(code, folder, { environment, signal, node = process.execPath }) {
  return run(node, ['--input-type=module', '-e', code], { cwd: folder, env: environment, signal });
}
