import { readFile } from 'node:fs/promises';
import type { Database, Queryable } from '../../src/index.js';

/** Databases as earlier versions left them, each with rows of its own. */
export const DUMPS = [
  'v1-strings',
  'v1-uuid',
  'guides-000',
  'guides-004',
  'guides-004-strings',
  'release-0001',
] as const;
export type Dump = (typeof DUMPS)[number];

export async function loadDump(database: Database, dump: Dump): Promise<void> {
  await database.script(await readFile(new URL(`../dumps/${dump}.sql`, import.meta.url), 'utf8'));
}

/** Columns and number of rows of each table of this database. */
export async function tablesOf(on: Queryable): Promise<Map<string, { columns: string[]; count: number }>> {
  const { rows } = await on.query<{ name: string; columns: string[] }>(
    `select c.relname::text as name, array_agg(a.attname::text order by a.attnum) as columns
       from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace group by c.relname order by c.relname`,
  );
  const tables = new Map<string, { columns: string[]; count: number }>();
  for (const { name, columns } of rows) {
    const counted = await on.query<{ count: number }>(`select count(*) from "${name}"`);
    tables.set(name, { columns, count: counted.rows[0]!.count });
  }
  return tables;
}
