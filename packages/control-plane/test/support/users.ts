import { randomUUID } from 'node:crypto';
import { AccessTokens } from '../../src/auth/access-tokens.js';
import type { Database } from '../../src/index.js';
import { JWT_SECRET, TestClient, type TestServer } from './server.js';

/** A client of a new user who is not an administrator. */
export async function addUser(database: Database, server: TestServer, username: string): Promise<TestClient> {
  const { rows } = await database.query<{ id: string }>(
    `insert into users (username, password_hash, role) values ($1, 'none', 'user') returning id`,
    [username],
  );
  const client = new TestClient(server.url);
  const tokens = new AccessTokens(JWT_SECRET);
  client.token = tokens.issue({ id: rows[0]!.id, username, role: 'user' }, randomUUID()).token;
  return client;
}
