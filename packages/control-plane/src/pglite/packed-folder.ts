import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { isAbsolute, join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';

const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;
/** Files that are written together. */
const AT_ONCE = 32;
/** Largest content of a packed folder, in bytes. A migrated database has 40 MB, and 16 of them are its log. */
const MOST_BYTES = 256 * 1024 * 1024;
/** Bytes that are inflated at once: with Node's default, 16 KB, most of the time goes into the steps between. */
const CHUNK_BYTES = 1024 * 1024;
/** Bytes of the number that says how long the index is. */
const LENGTH_BYTES = 4;

/** What is in a packed folder. Paths are relative and have `/` between their parts. */
interface Index {
  /** Parents before their children. */
  readonly folders: readonly string[];
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

/**
 * Packs the files and folders in `folder` for which `keep` is true, without links, modes and times. The result is gzip of
 * the index's length, the index as JSON, and the files' contents in the order of the index.
 */
export async function packFolder(folder: string, keep: (path: string) => boolean): Promise<Buffer> {
  const folders: string[] = [];
  const files: { path: string; size: number }[] = [];
  const contents: Buffer[] = [];
  const entries = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .map((entry) => ({
      entry,
      path: relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'),
    }))
    .filter(({ path }) => keep(path))
    .sort((one, other) => (one.path < other.path ? -1 : 1));
  for (const { entry, path } of entries) {
    if (entry.isDirectory()) folders.push(path);
    if (!entry.isFile()) continue;
    const content = await readFile(join(folder, path));
    files.push({ path, size: content.length });
    contents.push(content);
  }
  const index = Buffer.from(JSON.stringify({ folders, files } satisfies Index));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(index.length);
  return promisify(gzip)(Buffer.concat([length, index, ...contents]), { level: 9 });
}

/**
 * Writes what was packed into a folder that is empty, for this user alone. Nothing is synced.
 *
 * @throws before anything is written when the bytes are not whole: gzip has a checksum
 */
export async function unpackFolder(packed: Uint8Array, folder: string): Promise<void> {
  const bytes = await promisify(gunzip)(packed, { chunkSize: CHUNK_BYTES, maxOutputLength: MOST_BYTES });
  const start = LENGTH_BYTES + bytes.readUInt32BE(0);
  const { folders, files } = JSON.parse(bytes.toString('utf8', LENGTH_BYTES, start)) as Index;
  const outside = [...folders, ...files.map(({ path }) => path)].find((path) => !isWithin(path));
  if (outside !== undefined) throw new Error(`it has a file outside of its folder (${outside})`);
  let from = start;
  const parts = files.map(({ path, size }) => ({ path, content: bytes.subarray(from, (from += size)) }));
  if (from !== bytes.length) throw new Error(`it must have ${from} bytes; got ${bytes.length}`);
  for (const path of folders) await mkdir(join(folder, path), { mode: FOLDER_MODE });
  for (let first = 0; first < parts.length; first += AT_ONCE) {
    const some = parts.slice(first, first + AT_ONCE);
    await Promise.all(
      some.map(({ path, content }) =>
        writeFile(join(folder, path), content, { mode: FILE_MODE, flag: 'wx' }),
      ),
    );
  }
}

function isWithin(path: string): boolean {
  return path !== '' && !isAbsolute(path) && !path.split(/[\\/]/).includes('..');
}
