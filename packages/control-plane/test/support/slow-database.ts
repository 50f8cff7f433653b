import { setTimeout as wait } from 'node:timers/promises';
import type { Database, Queryable } from '../../src/stores/database.js';

export interface SlowDatabase extends Database {
  /** Statements of each transaction so far, in the order in which the transactions began. */
  readonly transactions: readonly (readonly string[])[];
}

/**
 * A database that is some milliseconds away in each direction, as one in another data centre is. BEGIN and COMMIT are
 * round trips too.
 *
 * @param oneWayMs the time that the next message takes, in ms
 * @param refuse an error that the statement fails with instead of being sent
 */
export function slowDatabase(
  database: Database,
  oneWayMs: () => number,
  refuse: (sql: string, params: readonly unknown[]) => Error | undefined = () => undefined,
): SlowDatabase {
  const transactions: string[][] = [];
  const roundTrip = async <T>(work: () => Promise<T>): Promise<T> => {
    await wait(oneWayMs());
    try {
      return await work();
    } finally {
      await wait(oneWayMs());
    }
  };
  const over = (on: Queryable, written?: string[]): Queryable => ({
    query: (sql, params = []) =>
      roundTrip(() => {
        written?.push(sql);
        const error = refuse(sql, params);
        return error ? Promise.reject(error) : on.query(sql, params);
      }),
    script: (sql, options) => roundTrip(() => on.script(sql, options)),
  });
  return {
    ...over(database),
    transactions,
    transaction: async (work) => {
      const written: string[] = [];
      transactions.push(written);
      await wait(oneWayMs() + oneWayMs());
      return roundTrip(() => database.transaction((tx) => work(over(tx, written))));
    },
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
}
