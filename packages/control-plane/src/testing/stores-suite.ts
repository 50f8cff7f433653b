import { randomUUID } from 'node:crypto';
import { agentOwnershipSuite, commandQueueSuite, type TestRunner } from '@streamspace/hub/testing';
import type { Database } from '../stores/database.js';
import { openFixtures, type Fixtures } from './fixtures.js';
import { hibernationSuite } from './hibernation-suite.js';
import { loginsSuite } from './logins-suite.js';
import { machinesSuite } from './machines-suite.js';
import { ownershipInDatabaseSuite } from './ownership-suite.js';
import { placementSuite } from './placement-suite.js';
import { queueInDatabaseSuite } from './queue-suite.js';
import { reconcileSuite } from './reconcile-suite.js';
import { releasesSuite } from './releases-suite.js';
import { replicasSuite } from './replicas-suite.js';
import { restoringSuite } from './restoring-suite.js';
import { sessionListsSuite } from './session-lists-suite.js';
import { sessionsSuite } from './sessions-suite.js';
import { timelineSuite } from './timeline-suite.js';
import { identitiesSuite } from './identities-suite.js';
import { usersSuite } from './users-suite.js';

/**
 * What the stores have to do on every `Database`, the hub's two ports among it. `open` gives one that the suite may
 * write to; it is opened once, migrated, and left to the caller.
 */
export function storesSuite(runner: TestRunner, open: () => Promise<Database>): void {
  let opened: Promise<Fixtures> | undefined;
  const fixtures = (): Promise<Fixtures> => (opened ??= open().then(openFixtures));

  commandQueueSuite(runner, async () => {
    const on = await fixtures();
    return {
      queue: on.commands,
      maxAttempts: 10,
      addAgent: (agentId) => connect(on, agentId),
      nextEpoch: (agentId) => connect(on, agentId),
      async addSession(sessionId, agentId) {
        const user = await on.addUser();
        await on.database.query(
          `insert into sessions (id, user_id, template, manifest, state, desired_state, platform, agent_id, request_hash)
           select $1, $2, 'x', '{}', 'pending', 'running', platform, id, '\\x00' from agents where agent_id = $3`,
          [sessionId, user.id, agentId],
        );
      },
    };
  });

  agentOwnershipSuite(runner, async () => {
    const on = await fixtures();
    return {
      ownership: on.ownership,
      addAgent: (agentId) => on.agents.setKeyHash(agentId, new Uint8Array(32)),
      isOnline: async (agentId) => {
        const found = (await on.agents.list()).find((agent) => agent.agentId === agentId);
        return found?.status === 'online';
      },
      capacityOf: async (agentId) => (await on.agents.list()).find((agent) => agent.agentId === agentId),
    };
  });

  ownershipInDatabaseSuite(runner, fixtures);
  restoringSuite(runner, fixtures);
  releasesSuite(runner, fixtures);
  replicasSuite(runner, fixtures);
  queueInDatabaseSuite(runner, fixtures);
  sessionsSuite(runner, fixtures);
  sessionListsSuite(runner, fixtures);
  hibernationSuite(runner, fixtures);
  reconcileSuite(runner, fixtures);
  placementSuite(runner, fixtures);
  timelineSuite(runner, fixtures);
  machinesSuite(runner, fixtures);
  loginsSuite(runner, fixtures);
  usersSuite(runner, fixtures);
  identitiesSuite(runner, fixtures);
}

async function connect(on: Fixtures, agentId: string): Promise<{ epoch: number }> {
  await on.agents.setKeyHash(agentId, new Uint8Array(32));
  const claim = await on.ownership.claim({
    agentId,
    platform: 'suite',
    connectionId: randomUUID(),
    instanceId: `instance of ${agentId}`,
    capacity: { maxSessions: 0 },
  });
  if (!claim.ok) throw new Error(claim.message);
  return { epoch: claim.epoch };
}
