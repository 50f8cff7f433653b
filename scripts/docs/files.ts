import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { namedJsonSchemas } from '@streamspace/api/openapi';
import { printApiPage } from './api-page.js';
import { printTypes } from './api-types.js';
import { printMachinesPage } from './machines-page.js';

const FILES: Readonly<Record<string, () => string | Promise<string>>> = {
  'packages/api/src/types.ts': () => printTypes(namedJsonSchemas()),
  'docs/api.md': printApiPage,
  'docs/machines.md': printMachinesPage,
};

/** The files that are generated from the source: path, below the checkout's root, → text. */
export async function generatedFiles(root = process.cwd()): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const [path, print] of Object.entries(FILES)) {
    const filepath = join(root, path);
    files.set(path, await format(await print(), { ...(await resolveConfig(filepath)), filepath }));
  }
  return files;
}
