import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { BootstrapError, root } from '../bootstrap.mjs';
import { makeSbom } from './make.mjs';

const DEFAULT_FILE = join(root, '.artifacts', 'sbom.cdx.json');

/** Writes what the packages and apps need at run time as a CycloneDX document. */
export async function main([file]) {
  const path = file === undefined ? DEFAULT_FILE : resolve(file);
  try {
    const sbom = await makeSbom();
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `${JSON.stringify(sbom, null, 2)}\n`);
    console.log(`${sbom.components.length} components in ${relative(process.cwd(), path)}`);
  } catch (error) {
    console.error(error instanceof BootstrapError ? `ERROR: ${error.message}` : error);
    process.exitCode = 1;
  }
}
