import { readFileSync, renameSync, writeFileSync } from 'node:fs';

/** A secret kept in a file for its owner alone; undefined where there is none. An empty one is a damaged one. */
export function readSecretFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Writes the whole file or nothing of it. The caller holds the folder's lock. */
export function writeSecretFile(path: string, secret: string): void {
  const draft = `${path}.new`;
  writeFileSync(draft, `${secret}\n`, { mode: 0o600, flush: true });
  renameSync(draft, path);
}
