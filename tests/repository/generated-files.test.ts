import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { generatedFiles } from '../../scripts/docs/files.js';

it('the files that are generated from the source are up to date: run npm run docs', async () => {
  for (const [path, text] of await generatedFiles()) expect.soft(readFileSync(path, 'utf8'), path).toBe(text);
});
