import assert from 'node:assert/strict';
import type { TestRunner } from '@streamspace/hub/testing';
import type { Database } from '../stores/database.js';
import type { Forgotten, Look } from '../stores/replicas.js';
import { claimAsBefore, connectAgent, makeJudge, openReplica, passed, rowOf } from './agent-rows.js';
import type { Fixtures } from './fixtures.js';

/** Longer than a replica may be silent, and than a judge must have beaten, in s. */
const LONG_S = 11;
const yes = (): boolean => true;

/** Which replicas live, and whose connections count as gone. */
export function replicasSuite({ describe, it }: TestRunner, fixtures: () => Promise<Fixtures>): void {
  describe('replicas', () => {
    it('leaves a name to the replica that has it, with its agents, where the judge says so', async () => {
      const { database } = await fixtures();
      const first = openReplica(database);
      assert.deepEqual(await first.replicas.take(yes), []);
      const agent = await connectAgent(first);
      const second = openReplica(database, first.podName);
      const looks: Look[] = [];
      const taken = await second.replicas.take((look) => {
        looks.push(look);
        return false;
      });
      assert.equal(taken, undefined);
      const holders = looks.flatMap((look) => look.holders);
      assert.deepEqual(
        holders.map(({ bootId }) => bootId),
        [first.bootId],
      );
      assert.ok(holders[0]!.silentMs < 9_000);
      assert.equal((await rowOf(database, agent.agentId)).status, 'online');
    });

    it('takes a name from a replica that is gone and forgets its connections alone', async () => {
      const { database } = await fixtures();
      const [first, other] = [openReplica(database), openReplica(database)];
      for (const replica of [first, other]) await replica.replicas.take(yes);
      const lost = [await connectAgent(first), await connectAgent(first)];
      const kept = await connectAgent(other);
      const moved = await connectAgent(first);
      await connectAgent(other, { agentId: moved.agentId });
      const second = openReplica(database, first.podName);
      assert.deepEqual(await second.replicas.take(yes), [
        { podName: first.podName, bootId: first.bootId, count: 2 },
      ]);
      for (const { agentId, epoch } of lost) {
        const row = await rowOf(database, agentId);
        assert.deepEqual(
          { ...row },
          {
            status: 'offline',
            pod_name: null,
            boot_id: null,
            websocket_conn_id: null,
            epoch,
            closed_epoch: 0,
          },
        );
      }
      for (const { agentId } of [kept, moved]) {
        const row = await rowOf(database, agentId);
        assert.deepEqual([row.status, row.boot_id], ['online', other.bootId]);
      }
    });

    it('takes no name from a replica that beats after it was looked at, and none of its agents', async () => {
      const { database } = await fixtures();
      const first = openReplica(database);
      await first.replicas.take(yes);
      const agent = await connectAgent(first);
      let hasLooked = false;
      const waking: Database = {
        query: (sql, params) => database.query(sql, params),
        script: (sql, options) => database.script(sql, options),
        transaction: (work) =>
          database.transaction((tx) =>
            work({
              async query(sql, params) {
                if (hasLooked) await passed(tx, -1, first.bootId);
                hasLooked = false;
                return tx.query(sql, params);
              },
              script: (sql, options) => tx.script(sql, options),
            }),
          ),
        /** It stays its owner's. */
        [Symbol.asyncDispose]: () => Promise.resolve(),
      };
      const second = openReplica(waking, first.podName);
      const isGone = (): boolean => (hasLooked = true);
      assert.equal(await second.replicas.take(isGone), undefined);
      const row = await rowOf(database, agent.agentId);
      assert.deepEqual([row.status, row.boot_id], ['online', first.bootId]);
      const { rows } = await database.query('select boot_id from replicas where pod_name = $1', [
        first.podName,
      ]);
      assert.deepEqual(rows, [{ boot_id: first.bootId }]);
    });

    it('says when a holder beat last, alike until it beats again', async () => {
      const { database } = await fixtures();
      const first = openReplica(database);
      await first.replicas.take(yes);
      const second = openReplica(database, first.podName);
      const look = async (): Promise<number | undefined> => {
        let seen: number | undefined;
        await second.replicas.take(({ holders }) => {
          seen = holders[0]?.lastBeatUs;
          return false;
        });
        return seen;
      };
      const before = await look();
      assert.equal(typeof before, 'number');
      assert.equal(await look(), before);
      await first.replicas.beat();
      assert.notEqual(await look(), before);
    });

    it('gives a name to one of two replicas that start at once', async () => {
      const { database } = await fixtures();
      const first = openReplica(database);
      const second = openReplica(database, first.podName);
      const isFree = ({ holders }: Look): boolean => holders.length === 0;
      const taken = await Promise.all([first, second].map(({ replicas }) => replicas.take(isFree)));
      assert.equal(taken.filter((forgotten) => forgotten !== undefined).length, 1);
    });

    it('has no holder to wait for where the last one has ended in order, and forgets what that held', async () => {
      const { database } = await fixtures();
      const first = openReplica(database);
      await first.replicas.take(yes);
      const agent = await connectAgent(first);
      await first.replicas.end();
      assert.equal((await rowOf(database, agent.agentId)).status, 'offline');
      const second = openReplica(database, first.podName);
      assert.deepEqual(await second.replicas.take(({ holders }) => holders.length === 0), []);
    });

    it('reaps replicas that do not beat, with their connections, and no other', async () => {
      const { database } = await fixtures();
      const [judge, dead, alive] = [openReplica(database), openReplica(database), openReplica(database)];
      for (const { replicas } of [judge, dead, alive]) await replicas.take(yes);
      const [lost, kept] = [await connectAgent(dead), await connectAgent(alive)];
      const reaped = async (): Promise<Forgotten[]> => {
        const ours = new Set<string | undefined>([judge, dead, alive].map(({ bootId }) => bootId));
        await alive.replicas.beat();
        await makeJudge(database, judge);
        return (await judge.replicas.reap()).filter(({ bootId }) => ours.has(bootId));
      };
      await passed(database, LONG_S, dead.bootId);
      assert.deepEqual(await reaped(), [{ podName: dead.podName, bootId: dead.bootId, count: 1 }]);
      assert.equal((await rowOf(database, lost.agentId)).status, 'offline');
      assert.equal((await rowOf(database, kept.agentId)).status, 'online');
      assert.deepEqual(await reaped(), []);
    });

    it('reaps none on the word of a replica that has not beaten for long enough, as after an outage of the database', async () => {
      const { database } = await fixtures();
      const [judge, other] = [openReplica(database), openReplica(database)];
      for (const { replicas } of [judge, other]) await replicas.take(yes);
      const agent = await connectAgent(other);
      // The database was away: neither could say that it lives.
      await passed(database, 60, judge.bootId, other.bootId);
      await judge.replicas.beat();
      assert.deepEqual(await judge.replicas.reap(), []);
      assert.deepEqual(await judge.replicas.reapUnknown(), []);
      assert.equal((await rowOf(database, agent.agentId)).status, 'online');
      const { rows } = await database.query('select 1 from replicas where boot_id = $1', [other.bootId]);
      assert.equal(rows.length, 1);
    });

    it('forgets connections of replicas without a row, and of versions without one by their heartbeats', async () => {
      const { database } = await fixtures();
      const [judge, rowless] = [openReplica(database), openReplica(database)];
      await judge.replicas.take(yes);
      const lost = await connectAgent(rowless);
      const own = await connectAgent(judge);
      // Two that a replica of an earlier version holds, one of which it does not hear of any more.
      const [fresh, stale] = [await connectAgent(rowless), await connectAgent(rowless)];
      for (const { agentId } of [fresh, stale]) await claimAsBefore(database, agentId, 'pod-before');
      await database.query(
        `update agent_heartbeats set last_heartbeat = now() - interval '2 minutes'
          where agent_id = (select id from agents where agent_id = $1)`,
        [stale.agentId],
      );
      await makeJudge(database, judge);
      const forgotten = await judge.replicas.reapUnknown();
      assert.deepEqual(
        forgotten.filter(({ podName, bootId }) => bootId === rowless.bootId || podName === 'pod-before'),
        [
          { podName: rowless.podName, bootId: rowless.bootId, count: 1 },
          { podName: 'pod-before', bootId: undefined, count: 1 },
        ].sort((a, b) => (a.podName < b.podName ? -1 : 1)),
      );
      const states = await Promise.all(
        [lost, own, fresh, stale].map(async ({ agentId }) => (await rowOf(database, agentId)).status),
      );
      assert.deepEqual(states, ['offline', 'online', 'online', 'offline']);
    });
  });
}
