import { spawn, type ChildProcess } from 'node:child_process';
import type { FileHandle } from 'node:fs/promises';
import { PlatformError } from '@streamspace/agent-core';
import { identify, type ProcessId } from '../host/processes.js';

/**
 * Starts a program in a process group and session of its own, so that it outlives this process and none of our signals
 * reach it by accident. It is this process's child under the same number from the first moment on: the shell that sets
 * its limits becomes it. It becomes that only once `note` has resolved: there is no moment at which it runs and was not
 * written down.
 *
 * @param setUp lines of shell that run before it; a failing one ends the program with 125
 */
export async function launch(
  command: readonly string[],
  place: { environment: Record<string, string>; cwd: string; log: FileHandle; setUp: string },
  note: (id: ProcessId) => Promise<void>,
): Promise<{ child: ChildProcess; id: ProcessId | undefined }> {
  const script = `read -r go && exec </dev/null || exit 125\numask 077\n${place.setUp}\nexec "$@"`;
  let child: ChildProcess;
  try {
    child = spawn('/bin/sh', ['-c', script, 'sh', ...command], {
      cwd: place.cwd,
      env: place.environment,
      detached: true,
      stdio: ['pipe', place.log.fd, place.log.fd],
    });
    child.unref();
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'E2BIG') throw cause;
    const text = `${command[0]} was given more arguments or variables, or a longer one, than the kernel takes`;
    throw new PlatformError('invalid_command', text, false, { cause });
  }
  child.on('error', () => undefined);
  // It may have been ended before it was told to go on.
  child.stdin?.on('error', () => undefined);
  try {
    const id = await identify(child.pid ?? 0);
    if (id) await note(id);
    child.stdin?.end('go\n');
    return { child, id };
  } catch (error) {
    // Told nothing, it ends by itself.
    child.stdin?.end();
    throw error;
  }
}
