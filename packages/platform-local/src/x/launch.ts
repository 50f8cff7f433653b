import { spawn, type ChildProcess } from 'node:child_process';
import type { FileHandle } from 'node:fs/promises';

/**
 * Starts a program in a process group and session of its own, so that it outlives this process and none of our signals
 * reach it by accident. It is this process's child under the same number from the first moment on: the shell that sets
 * its limits becomes it.
 *
 * @param setUp lines of shell that run before it; a failing one ends the program with 125
 */
export async function launch(
  command: readonly string[],
  place: { environment: Record<string, string>; cwd: string; log: FileHandle; setUp: string },
): Promise<ChildProcess> {
  const child = spawn('/bin/sh', ['-c', `umask 077\n${place.setUp}\nexec "$@"`, 'sh', ...command], {
    cwd: place.cwd,
    env: place.environment,
    detached: true,
    stdio: ['ignore', place.log.fd, place.log.fd],
  });
  child.unref();
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  child.on('error', () => undefined);
  return child;
}
