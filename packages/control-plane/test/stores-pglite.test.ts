import { afterAll, describe, it, beforeAll } from 'vitest';
import { pgliteDatabase } from '../src/pglite/index.js';
import type { Database } from '../src/index.js';
import { databaseSuite, storesSuite } from '../src/testing/index.js';

const runner = { describe, it };

describe('on PGlite', () => {
  let database: Database;
  beforeAll(async () => {
    database = await pgliteDatabase({ memory: true });
  }, 30_000);
  afterAll(async () => {
    await database[Symbol.asyncDispose]();
  });

  databaseSuite(runner, async () => database);
  storesSuite(runner, async () => database);
});
