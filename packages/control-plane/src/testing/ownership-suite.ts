import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { TestRunner } from '@streamspace/hub/testing';
import type { Fixtures } from './fixtures.js';

/** What the database adds to what every ownership of agents has to do. */
export function ownershipInDatabaseSuite(
  { describe, it }: TestRunner,
  fixtures: () => Promise<Fixtures>,
): void {
  describe('agent ownership in the database', () => {
    it('takes a report whatever number of sessions it tells of', async () => {
      const on = await fixtures();
      const agent = await on.addAgent();
      const report = { status: 'draining', activeSessions: Number.MAX_SAFE_INTEGER } as const;
      await on.ownership.heard(agent.agentId, agent.epoch, report);
      const found = (await on.agents.list()).find(({ agentId }) => agentId === agent.agentId);
      assert.equal(found?.status, 'draining');
    });

    it('refuses an agent without a fencing token once one was seen', async () => {
      const on = await fixtures();
      const { agentId, platform } = await on.addAgent();
      const claim = (fencingToken?: number) =>
        on.ownership.claim({
          agentId,
          platform,
          connectionId: randomUUID(),
          instanceId: `instance of ${agentId}`,
          capacity: { maxSessions: 0 },
          ...(fencingToken !== undefined && { fencingToken }),
        });
      assert.ok((await claim()).ok);
      assert.ok((await claim(3)).ok);
      assert.deepEqual(await claim(), {
        ok: false,
        code: 'fencing_token_too_low',
        message: 'a fencing token is needed: 3 was seen of this agent already',
        highestFencingToken: 3,
      });
      assert.ok((await claim(3)).ok);
    });

    it('writes that an agent is alive with others, and as of when it was heard', async () => {
      const on = await fixtures();
      const agent = await on.addAgent();
      const lastHeartbeat = async (): Promise<number> => {
        const { rows } = await on.database.query<{ ago: number }>(
          `select extract(epoch from now() - h.last_heartbeat)::float8 as ago
             from agent_heartbeats h join agents a on a.id = h.agent_id where a.agent_id = $1`,
          [agent.agentId],
        );
        return rows[0]!.ago;
      };
      await on.database.query(
        `update agent_heartbeats set last_heartbeat = now() - interval '1 hour'
          where agent_id = (select id from agents where agent_id = $1)`,
        [agent.agentId],
      );
      await on.ownership.heard(agent.agentId, agent.epoch, { status: 'online', activeSessions: 0 });
      assert.ok((await lastHeartbeat()) > 3_000);
      await on.ownership.flush?.();
      assert.ok((await lastHeartbeat()) < 60);
    });
  });
}
