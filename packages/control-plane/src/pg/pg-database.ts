import pg from 'pg';
import type { Database, Queryable, QueryResult, Row } from '../stores/database.js';
import { DatabaseError, toDatabaseError } from '../stores/database-error.js';
import { parseInt8 } from '../stores/int8.js';
import { TransactionGuard } from '../stores/transaction-guard.js';

export interface PgDatabaseOptions {
  host: string;
  /** @default 5432 */
  port?: number;
  database: string;
  user: string;
  password?: string;
  /** TLS: `true` verifies against the system's authorities, an object goes to Node's TLS. @default false */
  ssl?:
    boolean | { ca?: string; cert?: string; key?: string; rejectUnauthorized?: boolean; servername?: string };
  /** Most connections at once; more callers wait. @default 10 */
  maxConnections?: number;
  /** Connections that are kept although nobody has used them for a while. @default 0 */
  minConnections?: number;
  /** A connection this old is replaced once it is free, in seconds; 0 is never. @default 0 */
  maxLifetimeSeconds?: number;
  /** Longest wait for a connection, free or new, in ms; then `unavailable`. @default 5_000 */
  connectTimeoutMs?: number;
  /** Longest time of one statement, in ms; then `timeout`. @default 30_000 */
  statementTimeoutMs?: number;
  /** Longest wait for a lock inside a transaction, in ms; then `timeout`. @default 10_000 */
  lockTimeoutMs?: number;
  /**
   * Has the server keep the plans of statements, on each connection for itself: small statements take half the time.
   * Not behind a pooler in transaction mode (PgBouncer), which mixes connections up. @default false
   */
  prepareStatements?: boolean;
  /** A connection that nobody was using broke. The pool replaces it. */
  onError?: (error: unknown) => void;
}

const INT8 = 20;
const BYTEA = 17;
/** The server ends a statement in a transaction by itself; this much later the connection is given up. */
const SERVER_GRACE_MS = 2_000;

/** Most statements of which plans are kept; what comes later is planned each time. */
const PREPARED_STATEMENTS = 200;

/** How values arrive. Passed with each pool, so that the parsers of the host application's own `pg` stay as they are. */
const types: pg.CustomTypesConfig = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    if (oid === INT8) return parseInt8;
    const parse = pg.types.getTypeParser(oid, format as 'text') as (value: string) => unknown;
    if (oid !== BYTEA) return parse;
    return (value: string) => new Uint8Array(parse(value) as Uint8Array);
  },
} as pg.CustomTypesConfig;

/**
 * PostgreSQL 14 and later over a pool of connections; also behind PgBouncer in transaction mode: no session state, no
 * named statements, no start-up parameters.
 *
 * It connects when first used. A single statement past its time is given up by closing its connection; inside a
 * transaction the server ends it, since only there a limit can be set that does not leak to other clients.
 */
export async function pgDatabase(options: PgDatabaseOptions): Promise<Database> {
  return new PgDatabase(options);
}

class PgDatabase implements Database {
  readonly #pool: pg.Pool;
  readonly #guard = new TransactionGuard();
  readonly #statementTimeoutMs: number;
  readonly #begin: string;
  /** Names of prepared statements by their text; `undefined` when none are to be prepared. */
  readonly #names: Map<string, string> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: PgDatabaseOptions) {
    this.#names = options.prepareStatements === true ? new Map() : undefined;
    this.#statementTimeoutMs = options.statementTimeoutMs ?? 30_000;
    const lockTimeoutMs = options.lockTimeoutMs ?? 10_000;
    this.#begin = [
      'BEGIN ISOLATION LEVEL READ COMMITTED',
      `SET LOCAL statement_timeout = ${Math.floor(this.#statementTimeoutMs)}`,
      `SET LOCAL lock_timeout = ${Math.floor(lockTimeoutMs)}`,
      `SET LOCAL idle_in_transaction_session_timeout = ${Math.floor(this.#statementTimeoutMs)}`,
    ].join('; ');
    this.#pool = new pg.Pool({
      host: options.host,
      port: options.port ?? 5432,
      database: options.database,
      user: options.user,
      ...(options.password !== undefined && { password: options.password }),
      ...(options.ssl !== undefined && { ssl: options.ssl }),
      max: options.maxConnections ?? 10,
      min: options.minConnections ?? 0,
      maxLifetimeSeconds: options.maxLifetimeSeconds ?? 0,
      connectionTimeoutMillis: options.connectTimeoutMs ?? 5_000,
      keepAlive: true,
      types,
    });
    // Without a listener the loss of an idle connection would end the process.
    this.#pool.on('error', (error) => options.onError?.(error));
  }

  query<R extends Row = Row>(sql: string, params?: readonly unknown[]): Promise<QueryResult<R>> {
    return this.#withClient((client) => this.#on(client, this.#statementTimeoutMs).query<R>(sql, params));
  }

  script(sql: string, options?: { timeoutMs?: number }): Promise<void> {
    return this.#withClient((client) => this.#on(client, this.#statementTimeoutMs).script(sql, options));
  }

  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    return this.#withClient(async (client, giveUp) => {
      const connection = this.#on(client, this.#statementTimeoutMs + SERVER_GRACE_MS);
      await connection.script(this.#begin);
      let result: T;
      try {
        result = await this.#guard.run(connection, work);
      } catch (error) {
        if (!isConnectionLost(error)) await connection.script('ROLLBACK').catch(giveUp);
        throw error;
      }
      await connection.script('COMMIT');
      return result;
    });
  }

  async #withClient<T>(use: (client: pg.PoolClient, giveUp: () => void) => Promise<T>): Promise<T> {
    this.#guard.assertOutside();
    if (this.#closing) throw new DatabaseError('closed', 'the database is closed');
    let client: pg.PoolClient;
    try {
      client = await this.#pool.connect();
    } catch (error) {
      throw toDatabaseError(error);
    }
    let broken = false;
    // A checked-out connection that breaks between two statements says so by this event only.
    const giveUp = (): void => void (broken = true);
    client.on('error', giveUp);
    try {
      return await use(client, giveUp);
    } catch (error) {
      if (isConnectionLost(error)) broken = true;
      throw error;
    } finally {
      client.release(broken);
      // A broken one may still say so while it closes.
      if (!broken) client.off('error', giveUp);
    }
  }

  #on(client: pg.PoolClient, timeoutMs: number): Queryable {
    const run = async <T>(call: Promise<T>, sql: string, limitMs = timeoutMs): Promise<T> => {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(
          () =>
            reject(
              new DatabaseError('timeout', `no answer within ${limitMs} ms to: ${sql.slice(0, 100)}`, {
                cause: LATE,
              }),
            ),
          limitMs,
        );
      });
      try {
        return await Promise.race([call, late]);
      } catch (error) {
        call.catch(() => undefined);
        throw toDatabaseError(error);
      } finally {
        clearTimeout(timer);
      }
    };
    const nameOf = (sql: string): string | undefined => this.#nameOf(sql);
    return {
      async query<R extends Row>(sql: string, params: readonly unknown[] = []): Promise<QueryResult<R>> {
        const values = params.map((value) => (value === undefined ? null : value));
        const name = nameOf(sql);
        const config = { text: sql, values, ...(name !== undefined && { name }) };
        const result = await run(client.query<R & pg.QueryResultRow>(config), sql);
        return { rows: result.rows, rowCount: result.rowCount ?? 0 };
      },
      async script(sql, options) {
        if (options?.timeoutMs === undefined) return void (await run(client.query(sql), sql));
        const limit = Math.floor(options.timeoutMs);
        // The server's own limit counts each message anew, and this one is one message.
        await run(client.query(`SET LOCAL statement_timeout = ${limit}`), sql);
        await run(client.query(sql), sql, limit + SERVER_GRACE_MS);
      },
    };
  }

  #nameOf(sql: string): string | undefined {
    const known = this.#names?.get(sql);
    if (known !== undefined || !this.#names || this.#names.size >= PREPARED_STATEMENTS) return known;
    const name = `statement_${this.#names.size + 1}`;
    this.#names.set(sql, name);
    return name;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#pool.end();
    return this.#closing;
  }
}

/** Marks a timeout after which the connection's state is unknown. */
const LATE = Symbol('late');

function isConnectionLost(error: unknown): boolean {
  if (!(error instanceof DatabaseError)) return false;
  return error.code === 'unavailable' || error.cause === LATE;
}
