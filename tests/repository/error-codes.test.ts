import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const SECTION = /^## `(@streamspace\/[a-z-]+)`\n([\s\S]*?)(?=^## |$(?![\s\S]))/gm;

/** Package → codes that docs/errors.md lists for it. */
function documented(): Map<string, string[]> {
  const page = readFileSync('docs/errors.md', 'utf8');
  return new Map(
    [...page.matchAll(SECTION)].map(([, name, body]) => [
      name!,
      [...body!.matchAll(/^\| `([a-z_]+)`/gm)].map(([, code]) => code!).sort(),
    ]),
  );
}

/** Package → codes in its exported `…ErrorCode` and `…StatusCode` types. */
function inSource(): Map<string, string[]> {
  // The codes of `api` are the answers of the HTTP API, which have a table of their own.
  const packages = readdirSync('packages').filter((name) => name !== 'api');
  const entry = (name: string): string => join(process.cwd(), 'packages', name, 'src/index.ts');
  const config = ts.getParsedCommandLineOfConfigFile(
    'tsconfig.json',
    {},
    {
      ...ts.sys,
      onUnRecoverableConfigFileDiagnostic: () => undefined,
    },
  );
  const program = ts.createProgram(packages.map(entry), {
    ...config?.options,
    lib: ['lib.es2023.d.ts', 'lib.dom.d.ts'],
  });
  const checker = program.getTypeChecker();
  const result = new Map<string, string[]>();
  for (const name of packages) {
    const file = program.getSourceFile(entry(name));
    const module = file && checker.getSymbolAtLocation(file);
    if (!module) continue;
    const codes = checker
      .getExportsOfModule(module)
      .filter((symbol) => /(Error|Status)Code$/.test(symbol.name))
      .flatMap((symbol) => {
        const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
        const type = checker.getDeclaredTypeOfSymbol(target);
        return (type.isUnion() ? type.types : [type]).flatMap((part) =>
          part.isStringLiteral() ? [part.value] : [],
        );
      });
    if (codes.length > 0) result.set(`@streamspace/${name}`, [...new Set(codes)].sort());
  }
  return result;
}

/** Code → status of the answers that the HTTP API gives, as the page has them and as the source has them. */
function answers(): { documented: object; inSource: object } {
  const page = readFileSync('docs/errors.md', 'utf8').split('## Answers of the HTTP API')[1] ?? '';
  const source = readFileSync('packages/api/src/errors.ts', 'utf8');
  const pairs = (text: string, pattern: RegExp): object =>
    Object.fromEntries([...text.matchAll(pattern)].map(([, code, status]) => [code!, Number(status)]));
  return {
    documented: pairs(page, /^\| `([a-z_]+)` +\| (\d+)/gm),
    inSource: pairs(source, /^ {2}([a-z_]+): \{ status: (\d+)/gm),
  };
}

/** Code of a viewer's status → whether the viewer tries again by itself, likewise. */
function endings(): { documented: object; inSource: object } {
  const page = readFileSync('docs/errors.md', 'utf8');
  const source = readFileSync('packages/viewer/src/endings.ts', 'utf8');
  return {
    documented: Object.fromEntries(
      [...page.matchAll(/^\| `([a-z_]+)` +\| (final|retried) +\|/gm)].map(([, code, word]) => [code, word]),
    ),
    inSource: Object.fromEntries(
      [...source.matchAll(/^ {2}([a-z_]+): \{\s+shouldRetry: (true|false)/gm)].map(([, code, retry]) => [
        code,
        retry === 'true' ? 'retried' : 'final',
      ]),
    ),
  };
}

describe('docs/errors.md', () => {
  it('says which endings a viewer retries', () => {
    const { documented, inSource } = endings();
    expect(Object.keys(inSource)).not.toEqual([]);
    expect(documented).toEqual(inSource);
  });

  it('lists the answers of the HTTP API with their status', () => {
    const { documented, inSource } = answers();
    expect(Object.keys(inSource)).not.toEqual([]);
    expect(documented).toEqual(inSource);
  });

  it('lists the error codes that the packages export, and no others', () => {
    expect(Object.fromEntries(documented())).toEqual(Object.fromEntries(inSource()));
  });
});
