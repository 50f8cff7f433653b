import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { TestRunner } from '@streamspace/hub/testing';
import type { Capacity } from '@streamspace/protocol';
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

    it('keeps a capacity with what the claim said besides, and writes none that is not new', async () => {
      const on = await fixtures();
      const { agentId, epoch } = await on.addAgent({ maxSessions: 1 });
      const row = async () => {
        const { rows } = await on.database.query<{ capacity: unknown; version: string }>(
          'select capacity, xmin::text as version from agents where agent_id = $1',
          [agentId],
        );
        return rows[0]!;
      };
      const say = async (capacity: Capacity): Promise<void> => {
        await on.ownership.heard(agentId, epoch, { status: 'online', activeSessions: 0, capacity });
        await on.ownership.flush?.();
      };
      await say({ maxSessions: 4, maxCpu: 1.5 });
      await say({ maxSessions: 5 });
      const written = await row();
      assert.deepEqual(written.capacity, { max_sessions: 5, max_cpu: 1.5 });
      await say({ maxSessions: 5, maxCpu: 1.5 });
      assert.deepEqual(await row(), written);
    });

    it('takes no capacity from a replica whose connection another one has replaced', async () => {
      const on = await fixtures();
      const { agentId, epoch } = await on.addAgent({ maxSessions: 1 });
      await on.database.query('update agents set epoch = epoch + 1 where agent_id = $1', [agentId]);
      await on.ownership.heard(agentId, epoch, {
        status: 'online',
        activeSessions: 0,
        capacity: { maxSessions: 9 },
      });
      await on.ownership.flush?.();
      const found = (await on.agents.list()).find((agent) => agent.agentId === agentId);
      assert.equal(found?.maxSessions, 1);
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
