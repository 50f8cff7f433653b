import { pgDatabase } from '@streamspace/control-plane/pg';
import type { ExternalDatabase } from './config.js';
import { describeError } from './log.js';
import type { Mode, Start } from './mode.js';

/** With a PostgreSQL server. Agents are processes of their own and bring a key that an administrator made. */
export async function externalMode(
  { log, closing }: Start,
  server: ExternalDatabase,
  jwtSecret: string,
): Promise<Mode> {
  const database = await pgDatabase({
    host: server.host,
    port: server.port,
    database: server.name,
    user: server.user,
    ...(server.password !== undefined && { password: server.password }),
    // A database that stands still is one that is away: requests are told so before their callers give up.
    connectTimeoutMs: 3_000,
    statementTimeoutMs: 10_000,
    maxConnections: server.maxConnections,
    minConnections: server.minConnections,
    maxLifetimeSeconds: Math.ceil(server.connectionLifetimeMs / 1000),
    prepareStatements: server.prepareStatements,
    onError: (error) => log.warn(`A database connection broke: ${describeError(error)}`),
  });
  closing.add('the database', () => database[Symbol.asyncDispose]());
  try {
    await database.query('SELECT 1');
  } catch (error) {
    throw new Error(`DB_HOST=${server.host}, DB_PORT=${server.port}: no connection to the database`, {
      cause: error,
    });
  }
  log.info(`Connected to database ${server.name} on ${server.host}:${server.port}`);
  const begin = async () =>
    log.info('Agents connect with a key that an administrator makes (POST /api/v1/admin/agents)');
  return { database, jwtSecret, begin };
}
