import type { Queryable, Row } from '../../src/index.js';

const PUBLIC = `'public'::regnamespace`;

/** Queries of the catalog, without what differs between equal databases: oids, times, sizes. */
const QUERIES: Record<string, string> = {
  relations: `select relname::text, relkind::text, relpersistence::text, reloptions::text from pg_class
               where relnamespace = ${PUBLIC} order by 1`,
  columns: `select attrelid::regclass::text, attname::text, attnum, format_type(atttypid, atttypmod) as type, attnotnull,
                   attidentity::text, attgenerated::text, pg_get_expr(adbin, adrelid) as value
              from pg_attribute a join pg_class c on c.oid = attrelid left join pg_attrdef on adrelid = attrelid and adnum = attnum
             where relnamespace = ${PUBLIC} and attnum > 0 order by 1, 3`,
  indexes: `select pg_get_indexdef(indexrelid) as definition, indisvalid from pg_index i join pg_class c on c.oid = indexrelid
             where relnamespace = ${PUBLIC} order by 1`,
  constraints: `select conrelid::regclass::text, conname::text, pg_get_constraintdef(oid) as definition, convalidated
                  from pg_constraint where connamespace = ${PUBLIC} order by 1, 2`,
  triggers: `select pg_get_triggerdef(oid) as definition, tgenabled::text from pg_trigger where not tgisinternal order by 1`,
  functions: `select pg_get_functiondef(oid) as definition from pg_proc where pronamespace = ${PUBLIC} order by 1`,
  types: `select typname::text, typtype::text from pg_type where typnamespace = ${PUBLIC} order by 1`,
  sequences: `select * from pg_sequences order by 1, 2`,
  roles: `select rolname::text, rolsuper, rolcanlogin, rolpassword from pg_authid order by 1`,
  databases: `select datname::text, datcollate, datctype, pg_encoding_to_char(encoding) as encoding from pg_database order by 1`,
  extensions: `select extname::text, extversion from pg_extension order by 1`,
  // Those of plpgsql are there once this process has run a function in it.
  settings: `select name, setting, source from pg_settings where name not like 'plpgsql.%' order by 1`,
  migrations: `select version from schema_migrations order by 1`,
};

/** What the catalog of a migrated database says, by kind. */
export async function catalogOf(on: Queryable): Promise<Record<string, Row[]>> {
  const catalog: Record<string, Row[]> = {};
  for (const [part, sql] of Object.entries(QUERIES)) catalog[part] = (await on.query(sql)).rows;
  return catalog;
}
