import { randomUUID } from 'node:crypto';
import type { NewCommand } from '@streamspace/hub';
import type { Database } from '@streamspace/control-plane';
import { openFixtures, type Fixtures } from '@streamspace/control-plane/testing';

/** Agents that the sessions are spread over. */
const AGENTS = 64;

export interface Agent {
  readonly agentId: string;
  readonly epoch: number;
}

/** A migrated database with agents that are connected, and sessions that wait for their start. */
export interface World {
  readonly database: Database;
  readonly stores: Fixtures;
  readonly agents: readonly Agent[];
  /** Leaves `count` sessions without a start. */
  addSessions(count: number): Promise<void>;
  /** The start of a session that had none yet; `undefined` when there is none left. */
  nextStart(): NewCommand | undefined;
}

export async function openWorld(database: Database): Promise<World> {
  const stores = await openFixtures(database);
  const user = await stores.addUser();
  const agents: Agent[] = [];
  for (let i = 0; i < AGENTS; i++) agents.push(await stores.addAgent());
  let made = 0;
  let taken = 0;
  const ids = agents.map(({ agentId }) => agentId);
  return {
    database,
    stores,
    agents,
    async addSessions(count) {
      const first = made;
      made = Math.max(made, taken + count);
      await inBulk(
        database,
        `insert into sessions (id, user_id, template, manifest, state, desired_state, platform, agent_id, request_hash)
         select 'bench-' || n, $1, 'x', '{}', 'pending', 'running', a.platform, a.id, '\\x00'
           from generate_series($2::int, $3::int) n
           join json_array_elements_text($4::json) with ordinality as o(agent_id, place)
                on o.place = n % ${AGENTS} + 1
           join agents a on a.agent_id = o.agent_id`,
        [user.id, first, made - 1, JSON.stringify(ids)],
      );
      await database.script('analyze sessions; analyze agent_commands');
    },
    nextStart() {
      if (taken >= made) return undefined;
      const number = taken++;
      return {
        commandId: randomUUID(),
        agentId: ids[number % AGENTS]!,
        sessionId: `bench-${number}`,
        generation: 1,
        action: 'start_session',
        payload: { user: 'someone', template: 'x', templateManifest: { spec: { image: 'none' } } },
        deadline: Date.now() + 600_000,
      };
    },
  };
}

/** A statement that writes many rows to begin with: without triggers, whose work is not what is measured. */
export async function inBulk(
  database: Database,
  sql: string,
  params: readonly unknown[] = [],
): Promise<void> {
  await database.transaction(async (tx) => {
    await tx.query('set local session_replication_role = replica');
    await tx.query('set local statement_timeout = 0');
    await tx.query(sql, params);
  });
}
