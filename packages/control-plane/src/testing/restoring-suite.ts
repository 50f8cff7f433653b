import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { TestRunner } from '@streamspace/hub/testing';
import { beatAgent, connectAgent, makeJudge, openReplica, passed, rowOf } from './agent-rows.js';
import type { Fixtures } from './fixtures.js';

/** Rows of agents that say something else than their connections. */
export function restoringSuite({ describe, it }: TestRunner, fixtures: () => Promise<Fixtures>): void {
  describe('a heartbeat', () => {
    const WRONG: readonly (readonly [string, string])[] = [
      ['says offline', `status = 'offline'`],
      [
        'was forgotten by an earlier version',
        `status = 'offline', websocket_conn_id = null, pod_name = null`,
      ],
      ['names another replica', `pod_name = 'another', boot_id = gen_random_uuid()`],
      ['names another connection', `websocket_conn_id = 'another'`],
    ];
    for (const [what, change] of WRONG)
      it(`restores the row of its agent that ${what}`, async () => {
        const { database } = await fixtures();
        const replica = openReplica(database);
        const agent = await connectAgent(replica);
        await database.query(`update agents set ${change} where agent_id = $1`, [agent.agentId]);
        await beatAgent(replica, agent);
        assert.deepEqual(
          { ...(await rowOf(database, agent.agentId)) },
          {
            status: 'online',
            pod_name: replica.podName,
            boot_id: replica.bootId,
            websocket_conn_id: agent.connectionId,
            epoch: agent.epoch,
            closed_epoch: 0,
          },
        );
        assert.deepEqual(replica.restored, [[agent.agentId]]);
      });

    it('restores what another replica reaped while this one stood still, under the same epoch', async () => {
      const { database } = await fixtures();
      const [judge, asleep] = [openReplica(database), openReplica(database)];
      for (const { replicas } of [judge, asleep]) await replicas.take(() => true);
      const agent = await connectAgent(asleep);
      const moved = await connectAgent(asleep);
      await passed(database, 11, asleep.bootId);
      await makeJudge(database, judge);
      const reaped = (await judge.replicas.reap()).find(({ bootId }) => bootId === asleep.bootId);
      assert.equal(reaped?.count, 2);
      const newer = await connectAgent(judge, { agentId: moved.agentId });
      await asleep.replicas.beat();
      await beatAgent(asleep, agent);
      await beatAgent(asleep, moved);
      const row = await rowOf(database, agent.agentId);
      assert.deepEqual([row.status, row.boot_id, row.epoch], ['online', asleep.bootId, agent.epoch]);
      const other = await rowOf(database, moved.agentId);
      assert.deepEqual([other.boot_id, other.epoch], [judge.bootId, newer.epoch]);
    });

    it('writes nothing to a row that is as it should be', async () => {
      const { database } = await fixtures();
      const replica = openReplica(database);
      const agent = await connectAgent(replica);
      const version = async (): Promise<unknown> =>
        (
          await database.query('select xmin::text as version from agents where agent_id = $1', [
            agent.agentId,
          ])
        ).rows[0];
      const before = await version();
      await beatAgent(replica, agent);
      assert.deepEqual(await version(), before);
      assert.deepEqual(replica.restored, []);
    });

    it('brings back no connection that was released, and tells that it is of no use', async () => {
      const { database } = await fixtures();
      const replica = openReplica(database);
      const agent = await connectAgent(replica);
      const told: string[] = [];
      replica.ownership.onSuperseded?.(({ agentId }) => told.push(agentId));
      // By another handle, as where the heartbeat was on its way already.
      await openReplica(database, replica.podName, replica.bootId).ownership.release(
        agent.agentId,
        agent.connectionId,
        agent.epoch,
      );
      await beatAgent(replica, agent);
      const row = await rowOf(database, agent.agentId);
      assert.deepEqual([row.status, row.closed_epoch], ['offline', agent.epoch]);
      assert.deepEqual(told, [agent.agentId]);
    });

    it('changes no capacity on the word of a connection that was released', async () => {
      const { database } = await fixtures();
      const replica = openReplica(database);
      const agent = await connectAgent(replica);
      const capacity = async (): Promise<unknown> =>
        (await database.query('select capacity from agents where agent_id = $1', [agent.agentId])).rows[0];
      const before = await capacity();
      const report = { status: 'online', activeSessions: 0, capacity: { maxSessions: 7 } } as const;
      await openReplica(database, replica.podName, replica.bootId).ownership.release(
        agent.agentId,
        agent.connectionId,
        agent.epoch,
      );
      await replica.ownership.heard(agent.agentId, agent.epoch, report);
      await replica.ownership.flush?.();
      assert.deepEqual(await capacity(), before);
    });

    it('brings back no connection that was forgotten first and released then', async () => {
      const { database } = await fixtures();
      const replica = openReplica(database);
      const agent = await connectAgent(replica);
      await replica.replicas.end();
      await openReplica(database, replica.podName, replica.bootId).ownership.release(
        agent.agentId,
        agent.connectionId,
        agent.epoch,
      );
      await beatAgent(replica, agent);
      const row = await rowOf(database, agent.agentId);
      assert.deepEqual([row.status, row.closed_epoch], ['offline', agent.epoch]);
    });

    it('brings back no connection whose agent has a newer one, whatever that one’s row says', async () => {
      const { database } = await fixtures();
      const [older, newer] = [openReplica(database), openReplica(database)];
      const first = await connectAgent(older);
      const second = await connectAgent(newer, { agentId: first.agentId, connectionId: randomUUID() });
      await newer.ownership.release(second.agentId, second.connectionId, second.epoch);
      await beatAgent(older, first);
      const row = await rowOf(database, first.agentId);
      assert.deepEqual([row.status, row.epoch, row.closed_epoch], ['offline', second.epoch, second.epoch]);
    });
  });
}
