import { PGlite } from '@electric-sql/pglite';
import type { Database, Queryable, QueryResult, Row } from '../stores/database.js';
import { DatabaseError, toDatabaseError } from '../stores/database-error.js';
import { parseInt8 } from '../stores/int8.js';
import { TransactionGuard } from '../stores/transaction-guard.js';
import { markFounded, prepareFolder } from './founding.js';
import { SyncedFolder, SYNCED_START_PARAMS } from './synced-folder.js';

export type PgliteDatabaseOptions =
  | {
      /**
       * Folder of the database's files; made when it is not there. One process at a time may use it: nothing here
       * guards it, take a lock of your own.
       */
      dataFolder: string;
    }
  | {
      /** Keeps everything in memory, for tests. */
      memory: true;
    };

const INT8 = 20;

/**
 * PostgreSQL inside this process, for one process. The first start on a folder takes 2 to 4 s and some 800 MB.
 *
 * It has one connection, so transactions and statements wait for each other in the order in which they came. What was
 * acknowledged is on disk: each commit is synced, as with a server.
 *
 * A folder that once held a database never gets a new one unasked.
 *
 * @throws DatabaseError, with the folder's name where a person has to look at it
 */
export async function pgliteDatabase(options: PgliteDatabaseOptions): Promise<Database> {
  const parsers = { [INT8]: parseInt8 };
  try {
    if (!('dataFolder' in options))
      return new PgliteDatabase(await PGlite.create({ dataDir: 'memory://', parsers }));
    await prepareFolder(options.dataFolder);
    const pglite = await PGlite.create({
      fs: new SyncedFolder(options.dataFolder),
      startParams: SYNCED_START_PARAMS,
      relaxedDurability: false,
      parsers,
    });
    try {
      await markFounded(options.dataFolder);
    } catch (error) {
      await pglite.close();
      throw error;
    }
    return new PgliteDatabase(pglite);
  } catch (error) {
    throw toDatabaseError(error);
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

class PgliteDatabase implements Database {
  readonly #pglite: PGlite;
  readonly #guard = new TransactionGuard();
  /** Calls under way; closing waits for them. */
  readonly #calls = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(pglite: PGlite) {
    this.#pglite = pglite;
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
    if (this.#closing) throw new DatabaseError('closed', 'the database is closed');
    const promise = call();
    this.#calls.add(promise);
    const done = (): void => void this.#calls.delete(promise);
    promise.then(done, done);
    return promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= Promise.allSettled(this.#calls).then(() => this.#pglite.close());
    return this.#closing;
  }
}
