import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { namedJsonSchemas } from '@streamspace/api/openapi';
import { printApiPage } from './api-page.js';
import { printTypes } from './api-types.js';

const FILES: Readonly<Record<string, () => string>> = {
  'packages/api/src/types.ts': () => printTypes(namedJsonSchemas()),
  'docs/api.md': printApiPage,
};

/** The files that are generated from the source: path, below the checkout's root, → text. */
export async function generatedFiles(root = process.cwd()): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const [path, print] of Object.entries(FILES)) {
    const filepath = join(root, path);
    files.set(path, await format(print(), { ...(await resolveConfig(filepath)), filepath }));
  }
  return files;
}
