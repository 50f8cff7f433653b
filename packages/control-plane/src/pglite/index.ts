export { pgliteDatabase, type PgliteDatabaseOptions } from './pglite-database.js';
