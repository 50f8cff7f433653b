import { pgliteDatabase } from '@streamspace/control-plane/pglite';

// Writes rows for ever and says each one only when it was acknowledged, until somebody kills it.
const database = await pgliteDatabase({ dataFolder: process.argv[2]! });
await database.script('create table if not exists written (n int8 primary key)');
const { rows } = await database.query<{ next: number }>(
  'select coalesce(max(n), 0) + 1 as next from written',
);
for (let n = rows[0]!.next; ; n++) {
  if (n % 2) await database.query('insert into written values ($1)', [n]);
  else
    await database.transaction(async (tx) => void (await tx.query('insert into written values ($1)', [n])));
  await new Promise<void>((resolve) => process.stdout.write(`${n}\n`, () => resolve()));
}
