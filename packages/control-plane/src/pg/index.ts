export { pgDatabase, type PgDatabaseOptions } from './pg-database.js';
