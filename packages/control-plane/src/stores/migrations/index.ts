import type { Migration } from './migration.js';
import { first } from './0001-first.js';

/** Every change of the schema, in order. Released ones never change; they only ever add. */
export const MIGRATIONS: readonly Migration[] = [first];
