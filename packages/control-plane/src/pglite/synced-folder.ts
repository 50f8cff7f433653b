import { closeSync, fsyncSync, writeSync } from 'node:fs';
import { PGlite } from '@electric-sql/pglite';
import { NodeFS } from '@electric-sql/pglite/nodefs';

/** The functions of `node:fs` that the database's writes go through; tests let them fail. */
export interface HostFiles {
  writeSync(fd: number, buffer: Uint8Array, offset: number, length: number, position: number): number;
  fsyncSync(fd: number): void;
}

const HOST_FILES: HostFiles = {
  writeSync: (...args) => writeSync(...args),
  fsyncSync: (fd) => fsyncSync(fd),
};

interface Stream {
  /** Descriptor of the host's file. */
  nfd?: number;
  /** How many of the module's descriptors stand for it. */
  shared?: { refcount: number };
}

interface StreamOperations {
  open(stream: Stream): void;
  close(stream: Stream): void;
  write(stream: Stream, buffer: Uint8Array, offset: number, length: number, position: number): number;
  fsync?(stream: Stream): number;
}

/** What of the WebAssembly module's file system is needed here; PGlite does not type it. */
interface ModuleFiles {
  NODEFS?: {
    stream_ops?: StreamOperations;
    /** Gives the module's number of what Node threw; `undefined` for a code that the module does not know. */
    convertNodeCode?(error: NodeJS.ErrnoException): number | undefined;
    tryFSOperation?<T>(operation: () => T): T;
  };
  FS?: { ErrnoError: new (errno: number) => Error };
}

/** The module's number of EIO: its C library numbers errors as WASI does, not as the host does. */
const WASI_EIO = 29;

/** What PostgreSQL asks for all the time, and lives with. */
const EXPECTED: ReadonlySet<string | undefined> = new Set(['ENOENT', 'EEXIST', 'ENOTEMPTY', 'ENOTDIR']);

/**
 * Start parameters with which the database syncs its log at each commit. PGlite's own switch syncing off (`-F`); and of
 * the methods to sync only `fsync` reaches the host: `fdatasync` does nothing in the module's C library.
 */
export const SYNCED_START_PARAMS: string[] = [
  ...PGlite.defaultStartParams.filter((param) => param !== '-F'),
  '-c',
  'wal_sync_method=fsync',
];

/**
 * A folder of the host whose files are synced to disk when the database asks for it. PGlite's own ignores that.
 *
 * Every failure reaches the module as a number of its own. An exception that is none would leave PostgreSQL in the middle
 * of a statement, and PGlite would answer the statement as done; a number that the module does not know would count as
 * success.
 */
export class SyncedFolder extends NodeFS {
  readonly #files: HostFiles;
  /** The host's descriptors that the module holds open. */
  readonly #open = new Set<number>();
  #failure: NodeJS.ErrnoException | undefined;

  constructor(folder: string, files = HOST_FILES) {
    super(folder);
    this.#files = files;
  }

  /** The last failure of the host's files since {@link forgetFailure}, without those that PostgreSQL expects. */
  get failure(): NodeJS.ErrnoException | undefined {
    return this.#failure;
  }

  forgetFailure(): void {
    this.#failure = undefined;
  }

  /** Closes the host's files without the module, which must not be entered any more. */
  closeHostFiles(): void {
    for (const fd of this.#open) {
      try {
        closeSync(fd);
      } catch {
        // What was acknowledged is synced already; a close that fails takes nothing away from it.
      }
    }
    this.#open.clear();
  }

  override async init(...args: Parameters<NodeFS['init']>): ReturnType<NodeFS['init']> {
    const { emscriptenOpts } = await super.init(...args);
    const connect = (module: ModuleFiles): void => this.#connect(module);
    const preRun = [...(emscriptenOpts.preRun ?? []), connect as (module: unknown) => void];
    return { emscriptenOpts: { ...emscriptenOpts, preRun } };
  }

  #connect({ NODEFS, FS }: ModuleFiles): void {
    const operations = NODEFS?.stream_ops;
    const convert = NODEFS?.convertNodeCode;
    const attempt = NODEFS?.tryFSOperation;
    if (!operations || !convert || !attempt || !FS)
      throw new Error('this version of PGlite cannot sync files: NODEFS.stream_ops is missing');
    NODEFS.convertNodeCode = (error) => {
      if (!EXPECTED.has(error.code)) this.#failure = error;
      return convert(error) ?? WASI_EIO;
    };
    const run = <T>(operation: () => T): T => {
      try {
        return attempt(operation);
      } catch (error) {
        if (error instanceof FS.ErrnoError) throw error;
        // No error of the operating system, so the module has no number for it.
        this.#failure = error as Error;
        throw new FS.ErrnoError(WASI_EIO);
      }
    };
    const { open, close } = operations;
    operations.open = (stream) => {
      open(stream);
      if (stream.nfd !== undefined) this.#open.add(stream.nfd);
    };
    operations.close = (stream) => {
      try {
        close(stream);
      } finally {
        if (stream.nfd !== undefined && !stream.shared?.refcount) this.#open.delete(stream.nfd);
      }
    };
    operations.write = (stream, buffer, offset, length, position) =>
      run(() => this.#files.writeSync(stream.nfd!, buffer, offset, length, position));
    // `fd_sync` catches the module's own error and returns its number; a negative one is "Unknown error" to PostgreSQL.
    operations.fsync = (stream) =>
      run(() => {
        this.#files.fsyncSync(stream.nfd!);
        return 0;
      });
  }
}
