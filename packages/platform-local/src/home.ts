import { constants } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PlatformError } from '@streamspace/agent-core';
import type { Surface } from './desktop/surface.js';
import { openPlain } from './host/plain-file.js';
import { decodePng } from './png.js';

/** Bytes of a drawing that are read when a session starts. A larger file is set aside. */
const MOST_DRAWING_BYTES = 64 * 1024 * 1024;
/** Files of one name that are set aside. One more fails the start. */
const MOST_SET_ASIDE = 1000;

/** A session's home folder: `notes.txt` in UTF-8 and `drawing.png`. For the agent's user only. */
export class Home {
  readonly folder: string;
  readonly notes: string;
  readonly drawing: string;

  /** @param sessionId a DNS label: nothing that could name another folder */
  constructor(dataFolder: string, sessionId: string) {
    this.folder = join(dataFolder, 'homes', sessionId);
    this.notes = join(this.folder, 'notes.txt');
    this.drawing = join(this.folder, 'drawing.png');
  }

  /** @throws PlatformError `platform_unavailable` where something else has its name, such as a link */
  async create(): Promise<void> {
    const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
    try {
      await mkdir(this.folder, { recursive: true, mode: 0o700 });
      // Not by its path: a link would have the mode of another folder changed.
      const folder = await open(this.folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      await folder.chmod(0o700).finally(() => folder.close());
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      if (code !== 'ENOTDIR' && code !== 'ELOOP' && code !== 'EEXIST') throw cause;
      const text = `${this.folder} is a link or a file; allowed is a folder of its own`;
      throw new PlatformError('platform_unavailable', text, false, { cause });
    }
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  readNotes(mostBytes: number, onError: (error: unknown) => void): Promise<string | undefined> {
    const decoder = new TextDecoder('utf-8', { fatal: true });
    return readOrSetAside(this.notes, mostBytes, (bytes) => decoder.decode(bytes), onError);
  }

  readDrawing(onError: (error: unknown) => void): Promise<Surface | undefined> {
    return readOrSetAside(this.drawing, MOST_DRAWING_BYTES, decodePng, onError);
  }
}

/**
 * Reads a file, if it is there. One whose contents cannot be used is renamed to `<name>.unreadable`, so that the
 * session starts and nothing that somebody made is overwritten. Rejects where the file system fails: the file may be
 * sound.
 */
async function readOrSetAside<Contents>(
  path: string,
  mostBytes: number,
  read: (bytes: Uint8Array) => Contents | Promise<Contents>,
  onError: (error: unknown) => void,
): Promise<Contents | undefined> {
  try {
    const found = await readIfThere(path, mostBytes);
    if (!found) return undefined;
    const { bytes, size } = found;
    if (!bytes) throw new Error(`it has ${size} bytes; at most ${mostBytes} are allowed`);
    return await read(bytes);
  } catch (cause) {
    if (cause instanceof Error && 'syscall' in cause) throw cause;
    const aside = await setAside(path);
    const why = cause instanceof Error ? cause.message : String(cause);
    onError(new Error(`${path} cannot be used and is now ${aside}: ${why}`, { cause }));
    return undefined;
  }
}

/** The bytes of a file, or only its size where that is too large. */
async function readIfThere(
  path: string,
  mostBytes: number,
): Promise<{ size: number; bytes: Uint8Array | undefined } | undefined> {
  const file = await openPlain(path, constants.O_RDONLY).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (!file) return undefined;
  try {
    const { size } = await file.stat();
    return { size, bytes: size > mostBytes ? undefined : await file.readFile() };
  } finally {
    await file.close();
  }
}

/** Gives a file a name that no other has, and answers with it. */
async function setAside(path: string): Promise<string> {
  for (let number = 1; ; number++) {
    const aside = `${path}.unreadable${number === 1 ? '' : `-${number}`}`;
    try {
      // Taking the name first, since renaming overwrites whatever has it.
      await (await open(aside, 'wx', 0o600)).close();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST' && number < MOST_SET_ASIDE) continue;
      throw error;
    }
    await rename(path, aside);
    return aside;
  }
}
