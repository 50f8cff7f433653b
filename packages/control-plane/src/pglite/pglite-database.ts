import { PGlite } from '@electric-sql/pglite';
import type { Database, Queryable, QueryResult, Row } from '../stores/database.js';
import { DatabaseError, isDatabaseError, toDatabaseError } from '../stores/database-error.js';
import { parseInt8 } from '../stores/int8.js';
import { TransactionGuard } from '../stores/transaction-guard.js';
import { markFounded, prepareFolder } from './founding.js';
import { ModuleGate } from './module-gate.js';
import { closeFiles, makePrivate } from './private-folder.js';
import { SHIPPED_SNAPSHOT, unpackSnapshot } from './snapshot.js';
import { SyncedFolder, SYNCED_START_PARAMS, type HostFiles } from './synced-folder.js';

export type PgliteDatabaseOptions = PgliteDatabasePlace & {
  /**
   * The database has stopped: its disk failed or is full, or PostgreSQL itself gave up. Called once at most, with the
   * error (`fatal`) with which every pending and later call is rejected; its `cause` is the host's error where there was
   * one, for example with the code `ENOSPC`. What was acknowledged is on disk. To go on, dispose of the database and open
   * the folder again, best in a new process: the memory of this one is freed only when it is collected.
   */
  onFatal?: (error: DatabaseError) => void;
  /** A new database is about to be made in the folder, which takes seconds. */
  onCreating?: () => void;
  /** A snapshot is there and a new database cannot be made from it, for example because of another version of PGlite. */
  onSnapshotUnused?: (why: string) => void;
};

type PgliteDatabasePlace =
  | {
      /**
       * Folder of the database's files; made when it is not there, and closed to other users (mode 0700) when it is.
       * One that belongs to another user is refused, also where root runs this. One process at a time may use it: nothing
       * here guards it, take a lock of your own.
       */
      dataFolder: string;
      /**
       * File of a migrated database that a new one begins as, which is faster than the ordinary initialization. A file that
       * is not there, is damaged or was made by other versions is not used. Default: the one that comes with this package;
       * `false`: none.
       */
      snapshot?: string | false;
    }
  | {
      /** Keeps everything in memory, for tests. */
      memory: true;
    };

const INT8 = 20;
const PARSERS = { [INT8]: parseInt8 };

/**
 * PostgreSQL inside this process, for one process. The first start on a folder takes about 1 s with a
 * snapshot and 2 to 4 s without, and some 800 MB.
 *
 * It has one connection, so transactions and statements wait for each other in the order in which they came. What was
 * acknowledged is on disk: each commit is synced, as with a server.
 *
 * A folder that once held a database never gets a new one unasked.
 *
 * @throws DatabaseError, with the folder's name where a person has to look at it
 */
export async function pgliteDatabase(options: PgliteDatabaseOptions): Promise<Database> {
  return openPglite(options);
}

/** What tests give a database. */
export interface PgliteGiven {
  /** Functions for the files of a database in a folder. */
  readonly files?: HostFiles;
  /** Tar of the files that a database in memory begins with. */
  readonly cluster?: Blob;
}

/** {@link pgliteDatabase} on what tests give. */
export async function openPglite(
  options: PgliteDatabaseOptions,
  { files, cluster }: PgliteGiven = {},
): Promise<Database> {
  try {
    if ('dataFolder' in options) return await openFolder(options, files);
    const gate = new ModuleGate({ name: 'PGlite in memory' });
    const pglite = await PGlite.create({
      dataDir: 'memory://',
      ...(cluster && { loadDataDir: cluster }),
      parsers: PARSERS,
      extensions: { gate: gate.extension },
    });
    return new PgliteDatabase({ pglite, gate, onFatal: options.onFatal });
  } catch (error) {
    throw toDatabaseError(error);
  }
}

type FolderOptions = Extract<PgliteDatabaseOptions, { dataFolder: string }>;

async function openFolder(options: FolderOptions, files?: HostFiles): Promise<Database> {
  await makePrivate(options.dataFolder);
  if (await prepareFolder(options.dataFolder)) {
    options.onCreating?.();
    const opened = await openFromSnapshot(options, files);
    if (opened) return opened;
  }
  return openFiles(options, files);
}

/** Returns `undefined` where there is no snapshot to use; the folder is prepared then as it was. */
async function openFromSnapshot(options: FolderOptions, files?: HostFiles): Promise<Database | undefined> {
  const { dataFolder, snapshot = SHIPPED_SNAPSHOT, onSnapshotUnused } = options;
  if (snapshot === false) return undefined;
  try {
    return (await unpackSnapshot(snapshot, dataFolder)) ? await openFiles(options, files) : undefined;
  } catch (error) {
    // The folder is still being founded, so that this removes what was unpacked.
    await prepareFolder(dataFolder);
    onSnapshotUnused?.(`${snapshot} is not used: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

async function openFiles({ dataFolder, onFatal }: FolderOptions, files?: HostFiles): Promise<Database> {
  const fs = new SyncedFolder(dataFolder, files);
  const gate = new ModuleGate({
    name: `PGlite in ${dataFolder}`,
    beforeMessage: () => fs.forgetFailure(),
    hostFailure: () => fs.failure,
  });
  const release = (): void => fs.closeHostFiles();
  try {
    const pglite = await PGlite.create({
      fs,
      startParams: SYNCED_START_PARAMS,
      relaxedDurability: false,
      parsers: PARSERS,
      extensions: { gate: gate.extension },
    });
    try {
      await closeFiles(dataFolder);
      await markFounded(dataFolder);
    } catch (error) {
      await pglite.close();
      throw error;
    }
    return new PgliteDatabase({ pglite, gate, onFatal, release });
  } catch (error) {
    release();
    if (!fs.failure || isDatabaseError(error)) throw error;
    throw new DatabaseError('internal', `PGlite in ${dataFolder} cannot be opened: ${fs.failure.message}`, {
      cause: fs.failure,
    });
  }
}

type Handle = Pick<PGlite, 'query' | 'exec'>;

const on = (handle: Handle): Queryable => ({
  async query<R extends Row>(sql: string, params: readonly unknown[] = []): Promise<QueryResult<R>> {
    try {
      const result = await handle.query<R>(
        sql,
        params.map((value) => (value === undefined ? null : value)),
      );
      return { rows: result.rows, rowCount: Math.max(result.affectedRows ?? 0, result.rows.length) };
    } catch (error) {
      throw toDatabaseError(error);
    }
  },
  async script(sql) {
    try {
      await handle.exec(sql);
    } catch (error) {
      throw toDatabaseError(error);
    }
  },
});

interface PgliteParts {
  readonly pglite: PGlite;
  readonly gate: ModuleGate;
  readonly onFatal: PgliteDatabaseOptions['onFatal'];
  /** Gives back what a database that has stopped still holds. */
  readonly release?: () => void;
}

/**
 * A database: open → closing → closed, or from open and closing → stopped. One that has stopped rejects what is pending
 * and everything later with the same error, and never calls PGlite again, to close it neither.
 */
class PgliteDatabase implements Database {
  readonly #pglite: PGlite;
  readonly #gate: ModuleGate;
  readonly #guard = new TransactionGuard();
  /** Calls under way; closing waits for them. */
  readonly #calls = new Set<Promise<unknown>>();
  /** How the calls under way are rejected when the database stops. */
  readonly #rejections = new Set<(error: DatabaseError) => void>();
  #closing: Promise<void> | undefined;

  constructor({ pglite, gate, onFatal, release }: PgliteParts) {
    this.#pglite = pglite;
    this.#gate = gate;
    gate.onStop((error) => {
      for (const reject of this.#rejections) reject(error);
      // Later: the module is still on the stack.
      queueMicrotask(() => {
        release?.();
        try {
          onFatal?.(error);
        } catch {
          // Every call is rejected with the error already; a callback that throws changes nothing.
        }
      });
    });
  }

  async query<R extends Row = Row>(sql: string, params?: readonly unknown[]): Promise<QueryResult<R>> {
    return this.#track(() => on(this.#pglite).query<R>(sql, params));
  }

  async script(sql: string): Promise<void> {
    return this.#track(() => on(this.#pglite).script(sql));
  }

  async transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    return this.#track(async () => {
      let failure: { error: unknown } | undefined;
      try {
        return await this.#pglite.transaction(async (tx) => {
          try {
            return await this.#guard.run(on(tx as Handle), work);
          } catch (error) {
            failure = { error };
            throw error;
          }
        });
      } catch (error) {
        throw failure ? failure.error : toDatabaseError(error);
      }
    });
  }

  #track<T>(call: () => Promise<T>): Promise<T> {
    this.#guard.assertOutside();
    if (this.#gate.stopped) throw this.#gate.stopped;
    if (this.#closing) throw new DatabaseError('closed', 'the database is closed');
    const promise = this.#untilStopped(call);
    this.#calls.add(promise);
    const done = (): void => void this.#calls.delete(promise);
    promise.then(done, done);
    return promise;
  }

  /** Settles as `call` does, and at once when the database stops: a call may wait for another's transaction. */
  #untilStopped<T>(call: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#rejections.add(reject);
      const forget = (): void => void this.#rejections.delete(reject);
      call().then(resolve, reject).finally(forget);
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= Promise.allSettled(this.#calls).then(() => this.#close());
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#gate.stopped) return;
    try {
      await this.#pglite.close();
    } catch (error) {
      // It stopped while it closed. `onFatal` has that, and what was acknowledged is on disk.
      if (!this.#gate.stopped) throw error;
    }
  }
}
