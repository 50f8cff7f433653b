import { AsyncLocalStorage } from 'node:async_hooks';
import { DatabaseError } from './database-error.js';
import type { Queryable, QueryResult, Row } from './database.js';

type Status = 'open' | 'failed' | 'over';

interface Scope {
  status: Status;
  /** Why the first statement failed. */
  failure?: unknown;
}

/**
 * What every version of the `Database` port does about transactions, written once.
 *
 * A scope: open → (failed) → over. Inside an open scope the database itself is refused: on one connection it would wait
 * for itself, on a pool it would be another transaction by mistake. After a failed statement nothing can be committed,
 * even when the caller swallowed the error: PostgreSQL would answer COMMIT with a rollback and no error.
 */
export class TransactionGuard {
  readonly #scopes = new AsyncLocalStorage<Scope>();

  /** @throws DatabaseError `misuse` inside a transaction of this database */
  assertOutside(): void {
    const scope = this.#scopes.getStore();
    if (scope && scope.status !== 'over')
      throw new DatabaseError('misuse', 'use the transaction’s own handle inside a transaction');
  }

  /** Runs `work` with a handle that ends with it. Rejects when `work` does, or when a statement had failed. */
  async run<T>(connection: Queryable, work: (tx: Queryable) => Promise<T>): Promise<T> {
    const scope: Scope = { status: 'open' };
    const guarded = async <R>(call: () => Promise<R>): Promise<R> => {
      if (scope.status === 'over')
        throw new DatabaseError('misuse', 'this transaction is over; its handle cannot be used any more');
      try {
        return await call();
      } catch (error) {
        if ((scope.status as Status) === 'open') {
          scope.status = 'failed';
          scope.failure = error;
        }
        throw error;
      }
    };
    const tx: Queryable = {
      query: <R extends Row>(sql: string, params?: readonly unknown[]): Promise<QueryResult<R>> =>
        guarded(() => connection.query<R>(sql, params)),
      script: (sql, options) => guarded(() => connection.script(sql, options)),
    };
    try {
      const result = await this.#scopes.run(scope, () => work(tx));
      if ((scope.status as Status) === 'failed') throw scope.failure;
      return result;
    } finally {
      scope.status = 'over';
    }
  }
}
