import { dirname, join, normalize } from 'node:path';
import { expect, it } from 'vitest';
import { files, read } from './checkout.js';

const RELATIVE = /\b(?:from|import|export)\s*\(?\s*['"](\.{1,2}\/[^'"]*)['"]/g;

/** The workspace that a path lies in; undefined for what belongs to the checkout as a whole. */
function workspaceOf(path: string): string | undefined {
  return /^(packages|apps)\/[^/]+/.exec(path)?.[0];
}

it('no file imports another package by a relative path', () => {
  const wrong: string[] = [];
  for (const file of files().filter((path) => /\.(ts|tsx|mts)$/.test(path))) {
    for (const [, specifier = ''] of read(file).matchAll(RELATIVE)) {
      const target = normalize(join(dirname(file), specifier));
      const owner = workspaceOf(target);
      if (owner !== undefined && owner !== workspaceOf(file)) wrong.push(`${file} imports ${specifier}`);
    }
  }
  expect(wrong).toEqual([]);
});
