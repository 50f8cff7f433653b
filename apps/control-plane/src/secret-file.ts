import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The secrets of the embedded mode, and the folder in the data folder that they are in. */
export const SECRETS = ['jwt-secret', 'agent-key'] as const;
export type SecretName = (typeof SECRETS)[number];
export const SECRETS_FOLDER = 'secrets';

/**
 * Where a secret is. Earlier versions kept it in the data folder itself: it is moved from there, in one step, so that it
 * is in one of the two places at each moment.
 */
export function secretPath(dataFolder: string, name: SecretName): string {
  const folder = join(dataFolder, SECRETS_FOLDER);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, name);
  const earlier = join(dataFolder, name);
  if (!existsSync(path) && existsSync(earlier)) renameSync(earlier, path);
  return path;
}

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
