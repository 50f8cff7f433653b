import { readlinkSync, writeSync } from 'node:fs';
import type { HostFiles } from '../../src/pglite/synced-folder.js';

export type FileOperation = 'write' | 'fsync';

const NUMBERS: Readonly<Record<string, number>> = { EIO: -5, ENOSPC: -28, EROFS: -30, EDQUOT: -122 };

/** What Node throws when the operating system answers with `code`. */
export function errnoException(code: string, syscall: FileOperation): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: injected, ${syscall}`), {
    code,
    syscall,
    errno: NUMBERS[code] ?? -1,
  });
}

/**
 * Functions for files that fail on request. Counts every call, so that a test sees whether more came. Nothing is synced to
 * disk: no test here stops the machine, and a recovery syncs a thousand files.
 */
export class FailingFiles implements HostFiles {
  calls = 0;
  failures = 0;
  #fault: ((operation: FileOperation, path: string) => Error | undefined) | undefined;

  /** From now on asks `fault` before each call, and throws what it returns. */
  arm(fault: (operation: FileOperation, path: string) => Error | undefined): void {
    this.#fault = fault;
  }

  writeSync(fd: number, buffer: Uint8Array, offset: number, length: number, position: number): number {
    this.#before('write', fd);
    return writeSync(fd, buffer, offset, length, position);
  }

  fsyncSync(fd: number): void {
    this.#before('fsync', fd);
  }

  #before(operation: FileOperation, fd: number): void {
    this.calls += 1;
    const error = this.#fault?.(operation, readlinkSync(`/proc/self/fd/${fd}`));
    if (!error) return;
    this.failures += 1;
    throw error;
  }
}
