import { writeFileSync } from 'node:fs';
import { generatedFiles } from './docs/files.js';

/** `npm run docs`: writes every file that is generated from the source. */
for (const [path, text] of await generatedFiles()) {
  writeFileSync(path, text);
  console.log(path);
}
