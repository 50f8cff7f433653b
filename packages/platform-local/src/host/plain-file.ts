import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

const { O_NOFOLLOW, O_NONBLOCK } = constants;

/** What is said where something else has the name of a file. */
const NOT_PLAIN: ReadonlySet<string | undefined> = new Set(['ELOOP', 'ENXIO', 'ENODEV']);

/** A pipe, a socket, a device or a link has the name of a file. */
export class NotPlainError extends Error {
  override readonly name = 'NotPlainError';
}

/**
 * Opens a file that somebody else may have put there: never another by a link, and never waiting, as a named pipe would
 * for somebody at its other end, with one of the process's few threads.
 *
 * @param flags of `open(2)`
 * @throws NotPlainError, or what `open` throws. A folder is opened, and fails to be read.
 */
export async function openPlain(path: string, flags: number, mode = 0o600): Promise<FileHandle> {
  let file: FileHandle;
  try {
    file = await open(path, flags | O_NOFOLLOW | O_NONBLOCK, mode);
  } catch (cause) {
    if (!NOT_PLAIN.has((cause as NodeJS.ErrnoException).code)) throw cause;
    throw new NotPlainError('it is a link, a pipe, a socket or a device', { cause });
  }
  const stats = await file.stat();
  if (stats.isFile() || stats.isDirectory()) return file;
  await file.close();
  throw new NotPlainError('it is a pipe or a device');
}

/** The text of a file, if it is there. */
export async function readPlainIfThere(path: string): Promise<string | undefined> {
  const file = await openPlain(path, constants.O_RDONLY).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (!file) return undefined;
  try {
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}
