import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

/** Specifiers that a source file imports or exports from, but for types alone. */
function importsOf(path: string): string[] {
  const text = readFileSync(new URL(`../src/${path}`, import.meta.url), 'utf8');
  return [...text.matchAll(/^(?:import|export) (?!type )[^;]*? from '([^']+)'/gm)].map(([, name]) => name!);
}

it('the first entry loads no schemas: bundles of clients would carry zod', () => {
  const seen = new Set<string>();
  const queue = ['index.ts'];
  for (const path of queue) {
    for (const name of importsOf(path)) {
      expect(name, path).toMatch(/^\.\//);
      const next = name.slice(2).replace(/\.js$/, '.ts');
      if (!seen.has(next)) queue.push(next);
      seen.add(next);
    }
  }
  expect([...seen].sort()).toEqual(['errors.ts', 'operations.ts']);
});
