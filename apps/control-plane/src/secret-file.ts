import { lstatSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { privateFile } from './early/folder-access.mjs';
import { ConfigError } from './early/place.mjs';

/** The secrets of the embedded mode, and the folder in the data folder that they are in. */
export const SECRETS = ['jwt-secret', 'agent-key'] as const;
export type SecretName = (typeof SECRETS)[number];
export const SECRETS_FOLDER = 'secrets';

/**
 * Where a secret is. Earlier versions kept it in the data folder itself: it is moved from there, in one step, so that it
 * is in one of the two places at each moment. In either place another user may have put a file while the folder was
 * writable for all, so that what is there is checked first.
 *
 * @throws ConfigError where the file is not one that this user or root alone can write to
 */
export function secretPath(dataFolder: string, name: SecretName): string {
  const folder = join(dataFolder, SECRETS_FOLDER);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, name);
  const earlier = join(dataFolder, name);
  const refuse = (problem: string): never => {
    throw new ConfigError('STREAMSPACE_DATA_DIR', dataFolder, problem);
  };
  if (!isThere(path) && isThere(earlier)) {
    privateFile(earlier, refuse);
    renameSync(earlier, path);
  }
  if (isThere(path)) privateFile(path, refuse);
  return path;
}

/** A link is there also where its target is not. */
function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/**
 * A secret kept in a file for its owner alone; undefined where there is none. An empty one is a damaged one.
 *
 * @param path from {@link secretPath}, which checks the file
 */
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
  // An existing file keeps its owner and mode, and a link its target.
  rmSync(draft, { recursive: true, force: true });
  writeFileSync(draft, `${secret}\n`, { mode: 0o600, flag: 'wx', flush: true });
  renameSync(draft, path);
}
