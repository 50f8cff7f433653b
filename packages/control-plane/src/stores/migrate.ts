import type { Database, Queryable } from './database.js';
import { DatabaseError, isDatabaseError } from './database-error.js';
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

/** Whether a table of this name keeps such a list: golang-migrate and others have a `schema_migrations` of their own. */
const IS_LIST = `
  select bool_or(a.attname = 'version' and format_type(a.atttypid, null) in ('text', 'character varying')
                 and (a.atttypmod = -1 or a.atttypmod - 4 >= 50))
         and not bool_or(a.attname <> 'version' and a.attnotnull and not a.atthasdef and a.attidentity = '')
         and exists (select 1 from pg_index i join pg_attribute k on k.attrelid = i.indrelid and k.attnum = i.indkey[0]
                      where i.indrelid = to_regclass('schema_migrations') and i.indisunique and i.indnkeyatts = 1
                        and i.indpred is null and k.attname = 'version') as ours
    from pg_attribute a
   where a.attrelid = to_regclass('schema_migrations') and a.attnum > 0 and not a.attisdropped`;

/** Makes the table that holds the list of migrations, where there is none. */
async function makeList(tx: Queryable): Promise<string> {
  const { rows } = await tx.query<{ own: boolean; theirs: boolean }>(
    `select to_regclass('streamspace_migrations') is not null as own,
            to_regclass('schema_migrations') is not null and not coalesce((${IS_LIST}), false) as theirs`,
  );
  const list = rows[0]?.own || rows[0]?.theirs ? 'streamspace_migrations' : 'schema_migrations';
  await tx.script(
    `create table if not exists ${list} (version text primary key, applied_at timestamptz not null default now())`,
  );
  return list;
}

/** The same error, saying which migration it was and what the server adds to its message. */
function explained(error: unknown, version: string): unknown {
  if (!isDatabaseError(error)) return error;
  const { detail } = (error.cause ?? {}) as { detail?: unknown };
  const more = typeof detail === 'string' && detail !== '' ? ` (${detail})` : '';
  return new DatabaseError(error.code, `migration ${version}: ${error.message}${more}`, {
    cause: error,
    constraint: error.constraint,
  });
}

/**
 * Brings the schema up to date; any number of migrators may do so at once. Each migration is a transaction, under a
 * lock that the same transaction holds. Versions in the database that are not known here are left alone: a newer
 * release ran already, and migrations only add.
 *
 * The list of what was done is in `schema_migrations`, or in `streamspace_migrations` where another program has a table of
 * that name and another shape.
 *
 * @throws DatabaseError with the message of the migration that failed, and the server's detail
 * @returns the versions that were applied by this call
 */
export async function migrate(
  database: Database,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<string[]> {
  const applied: string[] = [];
  const list = await locked(database, makeList);
  for (const { version, sql } of migrations) {
    const isNew = await locked(database, async (tx) => {
      const { rows } = await tx.query(`select 1 from ${list} where version = $1`, [version]);
      if (rows.length > 0) return false;
      await tx.script(sql.replaceAll(/\bschema_migrations\b/g, list), { timeoutMs: TIMEOUT_MS });
      await tx.query(`insert into ${list} (version) values ($1)`, [version]);
      return true;
    }).catch((error: unknown) => {
      throw explained(error, version);
    });
    if (isNew) applied.push(version);
  }
  return applied;
}
