/** Rows of one statement, and how many rows it touched. */
export interface QueryResult<Row> {
  readonly rows: Row[];
  readonly rowCount: number;
}

/** One value of a row. `json` and `jsonb` arrive parsed. */
export type Row = Readonly<Record<string, unknown>>;

/** What takes statements: the database itself (each statement a transaction of its own), or an open transaction. */
export interface Queryable {
  /**
   * Carries out one statement; parameters are `$1`, `$2`, ….
   *
   * Values come back the same from every implementation: int8 as a number (a bigint past 2^53), bytea as a
   * `Uint8Array`, timestamptz as a `Date`, json parsed, int and text arrays as arrays, everything unknown as text.
   * As parameters go strings, numbers, bigints, booleans, `null`, `Date`, `Uint8Array` and flat arrays of these;
   * JSON goes as text with a cast (`$1::jsonb`), `undefined` counts as `null`.
   *
   * @throws DatabaseError
   */
  query<R extends Row = Row>(sql: string, params?: readonly unknown[]): Promise<QueryResult<R>>;
  /**
   * Carries out several statements without parameters, for migrations.
   *
   * @param options.timeoutMs longest time of all of them, in ms, where the implementation limits it; to the end of a
   * transaction no statement has less. Default: the implementation's own for one statement
   * @throws DatabaseError
   */
  script(sql: string, options?: { timeoutMs?: number }): Promise<void>;
}

/**
 * PostgreSQL, wherever it runs. The stores use nothing else.
 *
 * An implementation
 *
 * - MUST have a statement on disk before `query` or `transaction` resolves: what was acknowledged survives `kill -9`;
 * - MUST roll back when the function of `transaction` rejects, and reject with the same error;
 * - MUST refuse (`misuse`) the database itself inside that function, and the handle after it;
 * - MUST keep no state between statements that are not in one transaction, so that PgBouncer in transaction mode works;
 * - MUST settle every pending call when it is disposed.
 */
export interface Database extends Queryable, AsyncDisposable {
  /** READ COMMITTED. `tx` is the only usable handle inside. */
  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T>;
}
