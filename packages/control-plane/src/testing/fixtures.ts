import { randomUUID } from 'node:crypto';
import type { NewSession } from '../domain/ports.js';
import type { Session } from '../domain/session.js';
import type { Template } from '../domain/template.js';
import { hashToken } from '../auth/secrets.js';
import type { Database } from '../stores/database.js';
import { migrate } from '../stores/migrate.js';
import { createStores, type Stores } from '../stores/stores.js';

/** Rows of a kind that tests need, each with a fresh name. */
export interface Fixtures extends Stores {
  readonly database: Database;
  readonly template: Template;
  /** Agents whose connection counts as held here; add to it. */
  readonly held: Set<string>;
  addUser(role?: 'admin' | 'user'): Promise<{ id: string; username: string }>;
  /** An agent that is connected, of a platform that no other agent has. */
  addAgent(limits?: { maxSessions?: number }): Promise<{ agentId: string; platform: string; epoch: number }>;
  /** The agent connects anew. */
  reconnect(agent: { agentId: string; platform: string }): Promise<number>;
  request(more: Partial<NewSession> & { userId: string }): NewSession;
  createSession(request: NewSession): Promise<Session>;
}

const short = (): string => randomUUID().slice(0, 8);

export async function openFixtures(database: Database): Promise<Fixtures> {
  await migrate(database);
  const held = new Set<string>();
  const stores = createStores({
    database,
    podName: 'suite',
    commandTimeoutMs: 60_000,
    staleAfterMs: 60_000,
    heldAgents: () => held,
  });
  const template: Template = {
    name: `template-${short()}`,
    displayName: 'A template',
    description: 'For tests',
    appType: 'desktop',
    platform: null,
    manifest: { metadata: { name: 'x' }, spec: { image: 'none' } },
  };
  await stores.templates.put([template]);
  const connect = async (agentId: string, platform: string, maxSessions: number): Promise<number> => {
    const claim = await stores.ownership.claim({
      agentId,
      platform,
      connectionId: randomUUID(),
      instanceId: `instance of ${agentId}`,
      capacity: { maxSessions },
    });
    if (!claim.ok) throw new Error(claim.message);
    return claim.epoch;
  };
  return {
    ...stores,
    database,
    template,
    held,
    async addUser(role = 'user') {
      const username = `user-${short()}`;
      const { rows } = await database.query<{ id: string }>(
        `insert into users (username, password_hash, role) values ($1, 'none', $2) returning id`,
        [username, role],
      );
      return { id: rows[0]!.id, username };
    },
    async addAgent({ maxSessions = 0 } = {}) {
      const agentId = `agent-${short()}`;
      const platform = `platform-${short()}`;
      await stores.agents.setKeyHash(agentId, hashToken(agentId));
      return { agentId, platform, epoch: await connect(agentId, platform, maxSessions) };
    },
    reconnect: ({ agentId, platform }) => connect(agentId, platform, 0),
    request: (more) => ({
      id: `s-${short()}`,
      template,
      requestHash: hashToken('request'),
      ...more,
    }),
    async createSession(request) {
      return (await stores.sessions.create(request)).session;
    },
  };
}
