import { constants } from 'node:fs';
import { rm, type FileHandle } from 'node:fs/promises';
import { NotPlainError, openPlain } from '../host/plain-file.js';

const { O_APPEND, O_CREAT, O_RDONLY, O_RDWR, O_WRONLY } = constants;

/**
 * Opens a session's log for programs that append to it; they go on doing so when the agent is gone. What is there in its
 * place and is no file makes room for it.
 */
export async function openLog(path: string): Promise<FileHandle> {
  const flags = O_WRONLY | O_APPEND | O_CREAT;
  try {
    return await openPlain(path, flags);
  } catch (error) {
    if (!(error instanceof NotPlainError)) throw error;
    await rm(path);
    return await openPlain(path, flags);
  }
}

/** Drops the older half of a log that has grown past `mostBytes`. */
export async function shortenLog(path: string, mostBytes: number): Promise<void> {
  const file = await openPlain(path, O_RDWR).catch(() => undefined);
  if (!file) return;
  try {
    const { size } = await file.stat();
    if (size <= mostBytes) return;
    const kept = Buffer.alloc(Math.floor(mostBytes / 2));
    const { bytesRead } = await file.read(kept, 0, kept.length, size - kept.length);
    // Whoever appends meanwhile appends to what is there then: a line may be torn, none stops the program.
    await file.truncate(0);
    await file.write(kept, 0, bytesRead, 0);
  } finally {
    await file.close();
  }
}

/** The last lines, to say why a program did not start. */
export async function endOfLog(path: string, mostBytes = 600): Promise<string> {
  const file = await openPlain(path, O_RDONLY).catch(() => undefined);
  if (!file) return '';
  try {
    const { size } = await file.stat();
    const bytes = Buffer.alloc(Math.min(size, mostBytes));
    await file.read(bytes, 0, bytes.length, size - bytes.length);
    return bytes.toString('utf8').replace(/\s+/g, ' ').trim();
  } finally {
    await file.close();
  }
}
