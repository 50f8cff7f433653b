/**
 * - `unavailable`: no connection to be had, or it broke. Whether the statement took effect is unknown.
 * - `conflict`: a deadlock or a serialization failure; the transaction was rolled back.
 * - `constraint`: a unique, foreign key, check or not-null constraint; `constraint` names it where the server does.
 * - `invalid_value`: a value that its column cannot hold, for example a text with NUL.
 * - `overloaded`: too much waits to be written already; nothing was.
 * - `timeout`: the statement, a lock or a free connection took too long.
 * - `closed`: the database was disposed.
 * - `fatal`: the embedded database has stopped and runs nothing more until it is opened again. Whether the statement in
 *   which it stopped took effect is unknown.
 * - `misuse`: the database inside a transaction, or a transaction's handle after it.
 * - `internal`: everything else, for example a syntax error.
 */
export type DatabaseErrorCode =
  | 'unavailable'
  | 'conflict'
  | 'constraint'
  | 'invalid_value'
  | 'overloaded'
  | 'timeout'
  | 'closed'
  | 'fatal'
  | 'misuse'
  | 'internal';

const RETRY: ReadonlySet<DatabaseErrorCode> = new Set(['unavailable', 'conflict', 'overloaded', 'timeout']);

/** Thrown by databases. Recognise it by `code`, not by `instanceof`. */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
  /** Whether the same call may succeed later without anyone changing anything. */
  readonly shouldRetry: boolean;
  /** Name of the violated constraint, where there is one. */
  readonly constraint: string | undefined;

  constructor(
    readonly code: DatabaseErrorCode,
    message: string,
    options?: { cause?: unknown; constraint?: string | undefined },
  ) {
    super(message, options);
    this.shouldRetry = RETRY.has(code);
    this.constraint = options?.constraint;
  }
}

/** Recognises a database's error, also one of another copy of this package. */
export function isDatabaseError(error: unknown): error is DatabaseError {
  return (
    error instanceof Error && error.name === 'DatabaseError' && 'code' in error && 'shouldRetry' in error
  );
}

/** Whether the database was disposed or has stopped: every later call to it fails too. */
export function hasDatabaseEnded(error: unknown): boolean {
  return isDatabaseError(error) && (error.code === 'closed' || error.code === 'fatal');
}

function codeOf(sqlState: string): DatabaseErrorCode {
  if (sqlState.startsWith('22')) return 'invalid_value';
  if (sqlState.startsWith('23')) return 'constraint';
  if (sqlState === '40001' || sqlState === '40P01') return 'conflict';
  if (sqlState === '57014' || sqlState === '55P03' || sqlState === '25P03') return 'timeout';
  // Connection exceptions, insufficient resources, shutdown; read-only after a failover; PgBouncer's own refusals.
  if (/^(08|53|57P)/.test(sqlState) || sqlState === '25006') return 'unavailable';
  return 'internal';
}

const NETWORK =
  /^(ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|ENOTFOUND|EAI_AGAIN|ENOENT)|terminated|Connection ended|not queryable|timeout exceeded when trying to connect/;

/** What a driver threw, as a {@link DatabaseError}. SQLSTATE decides; without one it was the connection. */
export function toDatabaseError(error: unknown): DatabaseError {
  if (isDatabaseError(error)) return error;
  const { code, constraint, message } = (error ?? {}) as {
    code?: unknown;
    constraint?: unknown;
    message?: unknown;
  };
  const text = typeof message === 'string' && message !== '' ? message : String(code ?? error);
  if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !NETWORK.test(code))
    return new DatabaseError(codeOf(code), text, {
      cause: error,
      constraint: typeof constraint === 'string' ? constraint : undefined,
    });
  const network = NETWORK.test(text) || (typeof code === 'string' && NETWORK.test(code));
  return new DatabaseError(network ? 'unavailable' : 'internal', text, { cause: error });
}
