import { join } from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';
import { readManifest, root, workspaces } from './checkout.js';

/** What each entry exports, by name: `value` (also a class) or `type`. */
type Surface = Record<string, Record<string, 'value' | 'type'>>;

// `npx vitest run --project repository -u` writes the list anew.
it('the public surface of every package is the frozen one', { timeout: 60_000 }, async () => {
  const surface: Surface = {};
  for (const [entry, names] of exportsOf(publicEntries())) surface[entry] = names;
  await expect(`${JSON.stringify(surface, null, 2)}\n`).toMatchFileSnapshot('./public-surface.json');
});

function publicEntries(): Map<string, string> {
  const entries = new Map<string, string>();
  for (const folder of workspaces('packages')) {
    const manifest = readManifest(folder);
    for (const [path, target] of Object.entries(manifest.exports ?? {})) {
      if (typeof target === 'string') continue;
      entries.set(join(manifest.name, path), join(root, folder, target['@streamspace/source'] ?? ''));
    }
  }
  return entries;
}

function exportsOf(entries: Map<string, string>): [string, Record<string, 'value' | 'type'>][] {
  const config = ts.readConfigFile(join(root, 'tsconfig.base.json'), (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root, {
    lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
    types: ['node'],
  });
  const program = ts.createProgram([...entries.values()], options);
  const checker = program.getTypeChecker();
  return [...entries].map(([entry, file]) => {
    const source = program.getSourceFile(file);
    const symbol = source && checker.getSymbolAtLocation(source);
    const names = (symbol ? checker.getExportsOfModule(symbol) : []).map(
      (exported): [string, 'value' | 'type'] => {
        const target = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
        return [exported.name, target.flags & ts.SymbolFlags.Value ? 'value' : 'type'];
      },
    );
    return [entry, Object.fromEntries(names.sort(([a], [b]) => (a < b ? -1 : 1)))];
  });
}
