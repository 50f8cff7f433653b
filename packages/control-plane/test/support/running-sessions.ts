import type { Database } from '../../src/stores/database.js';

/** Sessions that run on an agent, as the database has them after a while: none of their commands is open. */
export async function addRunningSessions(database: Database, agentId: string, count: number): Promise<void> {
  await database.query(
    `insert into users (username, password_hash, role) values ('ada', 'none', 'user') on conflict do nothing`,
  );
  await database.query(`insert into agents (agent_id) values ($1) on conflict do nothing`, [agentId]);
  await database.query(
    `insert into sessions (id, user_id, template, manifest, state, desired_state, platform, agent_id, request_hash,
                           placement)
     select $1 || '-desk-of-ada-' || n, u.id, 'desk', '{}', 'running', 'running', 'local', a.id, '', '{}'
       from generate_series(1, $2::int) n, users u, agents a where u.username = 'ada' and a.agent_id = $1`,
    [agentId, count],
  );
}
