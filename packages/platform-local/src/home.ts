import { chmod, mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Surface } from './desktop/surface.js';
import { decodePng } from './png.js';

/** Bytes of a drawing that are read when a session starts. A larger file is set aside. */
const MOST_DRAWING_BYTES = 64 * 1024 * 1024;

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

  async create(): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    await chmod(this.folder, 0o700);
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
 * Reads a file, if it is there. One that cannot be used is renamed to `<name>.unreadable`, so that the session starts
 * and nothing that somebody made is overwritten.
 */
async function readOrSetAside<Contents>(
  path: string,
  mostBytes: number,
  read: (bytes: Uint8Array) => Contents | Promise<Contents>,
  onError: (error: unknown) => void,
): Promise<Contents | undefined> {
  const { size } = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return { size: undefined };
    throw error;
  });
  if (size === undefined) return undefined;
  try {
    if (size > mostBytes) throw new Error(`${path} has ${size} bytes; at most ${mostBytes} are allowed`);
    return await read(await readFile(path));
  } catch (error) {
    onError(error);
    await rename(path, `${path}.unreadable`);
    return undefined;
  }
}
