import { open, type FileHandle } from 'node:fs/promises';

/** Opens a session's log for programs that append to it; they go on doing so when the agent is gone. */
export async function openLog(path: string): Promise<FileHandle> {
  return await open(path, 'a', 0o600);
}

/** Drops the older half of a log that has grown past `mostBytes`. */
export async function shortenLog(path: string, mostBytes: number): Promise<void> {
  const file = await open(path, 'r+').catch(() => undefined);
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
  const file = await open(path, 'r').catch(() => undefined);
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
