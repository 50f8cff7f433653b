import type { Database, Queryable } from './database.js';
import { isDatabaseError } from './database-error.js';
import { MIGRATIONS } from './migrations/index.js';
import type { Migration } from './migrations/migration.js';

/** Any number, as long as every version of this program uses the same. */
const LOCK = 7_305_814_221;
/** How often a migrator waits anew for whoever is in its way: another one, or a program that uses the tables. */
const ATTEMPTS = 30;
/** Longest time of one migration, in ms: that of a large table takes minutes. */
const TIMEOUT_MS = 30 * 60_000;

async function locked<T>(database: Database, work: (tx: Queryable) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await database.transaction(async (tx) => {
        await tx.query('select pg_advisory_xact_lock($1)', [LOCK]);
        return work(tx);
      });
    } catch (error) {
      const waited = isDatabaseError(error) && (error.code === 'timeout' || error.code === 'conflict');
      if (attempt >= ATTEMPTS || !waited) throw error;
    }
  }
}

/**
 * Brings the schema up to date; any number of migrators may do so at once. Each migration is a transaction, under a
 * lock that the same transaction holds. Versions in the database that are not known here are left alone: a newer
 * release ran already, and migrations only add.
 *
 * @returns the versions that were applied by this call
 */
export async function migrate(
  database: Database,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<string[]> {
  const applied: string[] = [];
  await locked(database, (tx) =>
    tx.script(
      'create table if not exists schema_migrations (version text primary key, applied_at timestamptz not null default now())',
    ),
  );
  for (const { version, sql } of migrations) {
    const isNew = await locked(database, async (tx) => {
      const { rows } = await tx.query('select 1 from schema_migrations where version = $1', [version]);
      if (rows.length > 0) return false;
      await tx.script(sql, { timeoutMs: TIMEOUT_MS });
      await tx.query('insert into schema_migrations (version) values ($1)', [version]);
      return true;
    });
    if (isNew) applied.push(version);
  }
  return applied;
}
