import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { TestRunner } from '@streamspace/hub/testing';
import type { Database } from '../stores/database.js';
import { DatabaseError } from '../stores/database-error.js';
import { connectAgent, openReplica, rowOf, type TestReplica } from './agent-rows.js';
import type { Fixtures } from './fixtures.js';

/** A database that is away when it is told to be, whose answers are lost, or that runs statements after their time limit. */
class UnreliableDatabase implements Database {
  fault: 'none' | 'away' | 'answers_lost' | 'late' = 'none';
  /** Statements that the client gave up and the server has not run yet. */
  readonly late: (() => Promise<unknown>)[] = [];
  asked = 0;

  constructor(readonly inner: Database) {}

  query: Database['query'] = async (sql, params) => {
    this.asked += 1;
    if (this.fault === 'away') throw new DatabaseError('unavailable', 'away');
    if (this.fault === 'late') {
      this.late.push(() => this.inner.query(sql, params));
      throw new DatabaseError('timeout', 'the time limit of the statement passed');
    }
    const result = await this.inner.query<never>(sql, params);
    if (this.fault === 'answers_lost') throw new DatabaseError('unavailable', 'the answer was lost');
    return result;
  };

  script: Database['script'] = (sql, options) => this.inner.script(sql, options);
  transaction: Database['transaction'] = (work) => this.inner.transaction(work);

  /** It stays its owner's. */
  async [Symbol.asyncDispose](): Promise<void> {}
}

/** The agent connects with a new connection; rejects where its claim does. */
const connectAgain = (replica: TestReplica, agentId: string, instanceId: string) =>
  replica.ownership.claim({
    agentId,
    connectionId: randomUUID(),
    instanceId,
    platform: 'suite',
    capacity: { maxSessions: 0 },
  });

/** Releases that fail are repeated. */
export function releasesSuite({ describe, it }: TestRunner, fixtures: () => Promise<Fixtures>): void {
  const setUp = async () => {
    const { database } = await fixtures();
    const unreliable = new UnreliableDatabase(database);
    return { database, unreliable, replica: openReplica(unreliable) };
  };

  describe('a release that failed', () => {
    it('is repeated until the database is back, once per agent', async () => {
      const { database, unreliable, replica } = await setUp();
      const agents = [await connectAgent(replica), await connectAgent(replica)];
      unreliable.fault = 'away';
      for (const { agentId, connectionId, epoch } of agents)
        await assert.rejects(replica.ownership.release(agentId, connectionId, epoch), {
          code: 'unavailable',
        });
      await replica.ownership.flush?.();
      for (const { agentId } of agents) assert.equal((await rowOf(database, agentId)).status, 'online');
      unreliable.fault = 'none';
      const before = unreliable.asked;
      await replica.ownership.flush?.();
      await replica.ownership.flush?.();
      // One statement for both agents.
      assert.equal(unreliable.asked - before, 1);
      for (const { agentId, epoch } of agents) {
        const row = await rowOf(database, agentId);
        assert.deepEqual([row.status, row.websocket_conn_id, row.closed_epoch], ['offline', null, epoch]);
      }
      await replica.ownership.close();
    });

    it('is repeated without being asked for', async () => {
      const { database, unreliable, replica } = await setUp();
      const { agentId, connectionId, epoch } = await connectAgent(replica);
      unreliable.fault = 'away';
      await assert.rejects(replica.ownership.release(agentId, connectionId, epoch));
      unreliable.fault = 'none';
      const deadline = performance.now() + 5_000;
      while ((await rowOf(database, agentId)).status !== 'offline') {
        assert.ok(performance.now() < deadline, 'still online');
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      await replica.ownership.close();
    });

    it('does not make a later process of the agent a duplicate', async () => {
      const { unreliable, replica } = await setUp();
      const agentId = `agent-${randomUUID().slice(0, 8)}`;
      for (let process = 1; process <= 5; process++) {
        const { connectionId, epoch } = await connectAgent(replica, {
          agentId,
          instanceId: `process ${process}`,
        });
        unreliable.fault = 'away';
        await assert.rejects(replica.ownership.release(agentId, connectionId, epoch));
        unreliable.fault = 'none';
      }
      await replica.ownership.close();
    });

    it('is moot once the agent has a newer connection', async () => {
      const { database, unreliable, replica } = await setUp();
      const { agentId, connectionId, epoch } = await connectAgent(replica);
      unreliable.fault = 'away';
      await assert.rejects(replica.ownership.release(agentId, connectionId, epoch));
      unreliable.fault = 'none';
      const newer = await connectAgent(openReplica(database), { agentId });
      await replica.ownership.flush?.();
      const row = await rowOf(database, agentId);
      assert.deepEqual([row.status, row.epoch, row.closed_epoch], ['online', newer.epoch, 0]);
      const before = unreliable.asked;
      await replica.ownership.flush?.();
      assert.equal(unreliable.asked, before);
      await replica.ownership.close();
    });

    it('is given up when the ownership is closed', async () => {
      const { unreliable, replica } = await setUp();
      const { agentId, connectionId, epoch } = await connectAgent(replica);
      unreliable.fault = 'away';
      await assert.rejects(replica.ownership.release(agentId, connectionId, epoch));
      await replica.ownership.close();
      const before = unreliable.asked;
      await replica.ownership.flush?.();
      assert.equal(unreliable.asked, before);
    });
  });

  describe('a claim whose answer was lost', () => {
    it('is released, and the next process of the agent is accepted', async () => {
      const { database, unreliable, replica } = await setUp();
      const { agentId } = await connectAgent(replica, { instanceId: 'process 0' });
      for (let process = 1; process <= 4; process++) {
        unreliable.fault = 'answers_lost';
        const claim = connectAgain(replica, agentId, `process ${process}`);
        await assert.rejects(claim, { code: 'unavailable' });
        unreliable.fault = 'none';
        await replica.ownership.flush?.();
        const row = await rowOf(database, agentId);
        assert.deepEqual([row.status, row.websocket_conn_id, row.closed_epoch], ['offline', null, row.epoch]);
      }
      await connectAgent(replica, { agentId, instanceId: 'process 5' });
      await replica.ownership.close();
    });

    it('is released where it takes effect after its release was written', async () => {
      const { database, unreliable, replica } = await setUp();
      const { agentId, connectionId, epoch } = await connectAgent(replica);
      await replica.ownership.release(agentId, connectionId, epoch);
      unreliable.fault = 'late';
      await assert.rejects(connectAgain(replica, agentId, 'process 1'), { code: 'timeout' });
      unreliable.fault = 'none';
      await replica.ownership.flush?.();
      for (const run of unreliable.late) await run();
      assert.equal((await rowOf(database, agentId)).status, 'online');
      await replica.ownership.flush?.();
      const row = await rowOf(database, agentId);
      assert.deepEqual([row.status, row.websocket_conn_id, row.closed_epoch], ['offline', null, row.epoch]);
      await replica.ownership.close();
    });

    it('is released where it takes effect after a newer claim, and leaves that one alone before', async () => {
      const { database, unreliable, replica } = await setUp();
      const { agentId } = await connectAgent(replica);
      unreliable.fault = 'late';
      // Only the claim: no release waits for this agent that would be written before it.
      await assert.rejects(connectAgain(replica, agentId, 'process 1'), { code: 'timeout' });
      unreliable.fault = 'none';
      const newer = await connectAgent(replica, { agentId });
      await replica.ownership.flush?.();
      const row = await rowOf(database, agentId);
      assert.deepEqual([row.status, row.epoch, row.closed_epoch], ['online', newer.epoch, 0]);
      for (const run of unreliable.late) await run();
      await replica.ownership.flush?.();
      const after = await rowOf(database, agentId);
      assert.deepEqual([after.status, after.closed_epoch], ['offline', after.epoch]);
      await replica.ownership.close();
    });
  });
}
