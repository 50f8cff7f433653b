import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const PAGES = [
  ...readdirSync('packages').map((name) => `packages/${name}/README.md`),
  'README.md',
  ...['docs', 'docs/guides'].flatMap((folder) =>
    readdirSync(folder).flatMap((name) => (name.endsWith('.md') ? [`${folder}/${name}`] : [])),
  ),
];

/** Every block of TypeScript in the pages, as a file of its own beside the page: `README.md.1.ts`. */
function blocks(): Map<string, string> {
  const found = new Map<string, string>();
  for (const page of PAGES)
    for (const [, code] of readFileSync(page, 'utf8').matchAll(/^```ts\n([\s\S]*?)^```/gm))
      found.set(resolve(`${page}.${found.size + 1}.ts`), code!);
  return found;
}

describe('the code in the documentation', () => {
  it('compiles', () => {
    const sources = blocks();
    expect(sources.size).toBeGreaterThan(0);
    const config = ts.getParsedCommandLineOfConfigFile(
      'tsconfig.json',
      {},
      {
        ...ts.sys,
        onUnRecoverableConfigFileDiagnostic: () => undefined,
      },
    );
    const options = { ...config?.options, noEmit: true };
    const host = ts.createCompilerHost(options);
    const { readFile, fileExists, getSourceFile } = host;
    host.fileExists = (path) => sources.has(path) || fileExists(path);
    host.readFile = (path) => sources.get(path) ?? readFile(path);
    host.getSourceFile = (path, language, ...rest) => {
      const source = sources.get(path);
      return source === undefined
        ? getSourceFile(path, language, ...rest)
        : ts.createSourceFile(path, source, language);
    };
    const program = ts.createProgram([...sources.keys()], options, host);
    const problems = [...sources.keys()].flatMap((path) => {
      const file = program.getSourceFile(path);
      return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(
        ({ messageText }) => `${path}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
      );
    });
    expect(problems).toEqual([]);
  });
});
