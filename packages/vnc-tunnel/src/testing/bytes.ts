import type { ByteChannel } from '../byte-channel.js';

/** Bytes that differ from place to place, so that a lost, doubled or swapped chunk shows. */
export function patternBytes(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** Everything up to the far end's end. */
export async function readAll(channel: ByteChannel): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for (let chunk = await channel.read(); chunk; chunk = await channel.read()) chunks.push(chunk.slice());
  return concat(chunks);
}

/** At least `length` bytes, or fewer where the far end ends before. */
export async function readAtLeast(channel: ByteChannel, length: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for (let total = 0; total < length;) {
    const chunk = await channel.read();
    if (!chunk) break;
    chunks.push(chunk.slice());
    total += chunk.length;
  }
  return concat(chunks);
}

function concat(chunks: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/** Whether two byte strings are the same; cheaper to report than a diff of megabytes. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Polls until `condition` holds; throws with `what` past the deadline. */
export async function until(what: string, condition: () => boolean, deadlineMs = 5_000): Promise<void> {
  const deadline = Date.now() + deadlineMs;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited ${deadlineMs} ms for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Bytes that a writer can get rid of while nobody reads: writes until a write stays pending for `quietMs`. */
export async function writeUntilStalled(
  channel: ByteChannel,
  chunkBytes: number,
  maxBytes: number,
  quietMs = 100,
): Promise<{ written: number; pending: Promise<void> | undefined }> {
  const chunk = new Uint8Array(chunkBytes);
  let written = 0;
  while (written < maxBytes) {
    const pending = channel.write(chunk);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stalled = await Promise.race([
      pending.then(() => false),
      new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(true), quietMs))),
    ]);
    clearTimeout(timer);
    if (stalled) return { written, pending };
    written += chunkBytes;
  }
  return { written, pending: undefined };
}
