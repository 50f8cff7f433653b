import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { Capacity } from '@streamspace/protocol';
import type { AgentOwnership, ClaimRequest } from '../ports.js';
import type { TestRunner } from './runner.js';

export interface AgentOwnershipFixture {
  ownership: AgentOwnership;
  /** Makes an agent known, where the store wants to know it. */
  addAgent(agentId: string): Promise<void>;
  /** Whether the agent counts as connected, where the store keeps that. */
  isOnline?(agentId: string): Promise<boolean>;
  /** What the agent has room for, as whoever places sessions reads it, where the store keeps that. */
  capacityOf?(agentId: string): Promise<Capacity | undefined>;
}

/** What every `AgentOwnership` has to do. */
export function agentOwnershipSuite(
  { describe, it }: TestRunner,
  open: () => Promise<AgentOwnershipFixture>,
): void {
  const setUp = async () => {
    const fixture = await open();
    const agentId = `agent-${randomUUID().slice(0, 8)}`;
    await fixture.addAgent(agentId);
    const request = (more: Partial<ClaimRequest> = {}): ClaimRequest => ({
      agentId,
      connectionId: randomUUID(),
      instanceId: randomUUID(),
      platform: 'local',
      capacity: { maxSessions: 0 },
      ...more,
    });
    return { ...fixture, agentId, request };
  };

  describe('agent ownership', () => {
    it('hands out epochs that grow and are not below the time in ms', async () => {
      const { ownership, request } = await setUp();
      const before = Date.now() - 60_000;
      const first = await ownership.claim(request());
      const second = await ownership.claim(request());
      assert.ok(first.ok && second.ok);
      assert.ok(first.epoch >= before, `${first.epoch} is below ${before}`);
      assert.ok(second.epoch > first.epoch);
    });

    it('gives every one of many claims at once an epoch of its own', async () => {
      const { ownership, request } = await setUp();
      const instanceId = randomUUID();
      const claims = await Promise.all(
        Array.from({ length: 8 }, () => ownership.claim(request({ instanceId }))),
      );
      const epochs = claims.map((claim) => (claim.ok ? claim.epoch : 0));
      assert.equal(new Set(epochs).size, 8);
    });

    it('refuses a fencing token below the highest and says which that is', async () => {
      const { ownership, request } = await setUp();
      assert.ok((await ownership.claim(request({ fencingToken: 7 }))).ok);
      const refused = await ownership.claim(request({ fencingToken: 6 }));
      assert.ok(!refused.ok);
      assert.equal(refused.code, 'fencing_token_too_low');
      assert.equal(refused.highestFencingToken, 7);
      assert.ok((await ownership.claim(request({ fencingToken: 7 }))).ok);
    });

    it('refuses an agent without a fencing token once there was one', async () => {
      const { ownership, request } = await setUp();
      assert.ok((await ownership.claim(request())).ok);
      assert.ok((await ownership.claim(request({ fencingToken: 3 }))).ok);
      const refused = await ownership.claim(request());
      assert.ok(!refused.ok);
      assert.equal(refused.code, 'fencing_token_too_low');
      assert.equal(refused.highestFencingToken, 3);
    });

    it('is not released by a connection that was replaced', async () => {
      const { ownership, request, agentId, isOnline } = await setUp();
      const older = request();
      const newer = request();
      const first = await ownership.claim(older);
      const second = await ownership.claim(newer);
      assert.ok(first.ok && second.ok);
      await ownership.release(agentId, older.connectionId, first.epoch);
      if (isOnline) assert.equal(await isOnline(agentId), true);
      await ownership.release(agentId, newer.connectionId, second.epoch);
      if (isOnline) assert.equal(await isOnline(agentId), false);
    });

    it('is not brought back by a report of a connection that was released', async () => {
      const { ownership, request, agentId, isOnline, capacityOf } = await setUp();
      const connection = request({ capacity: { maxSessions: 2 } });
      const claim = await ownership.claim(connection);
      assert.ok(claim.ok);
      await ownership.release(agentId, connection.connectionId, claim.epoch);
      await ownership.heard(agentId, claim.epoch, {
        status: 'draining',
        activeSessions: 1,
        capacity: { maxSessions: 9 },
      });
      await ownership.flush?.();
      if (isOnline) assert.equal(await isOnline(agentId), false);
      if (capacityOf) assert.equal((await capacityOf(agentId))?.maxSessions, 2);
    });

    it('takes reports of any epoch without failing', async () => {
      const { ownership, request, agentId } = await setUp();
      const claim = await ownership.claim(request());
      assert.ok(claim.ok);
      await ownership.heard(agentId, claim.epoch, { status: 'online', activeSessions: 1 });
      await ownership.heard(agentId, claim.epoch - 1, { status: 'draining', activeSessions: 9 });
      await ownership.flush?.();
      await ownership.flush?.();
    });

    it('keeps the capacity that a report tells of, and no other than the current connection’s', async () => {
      const { ownership, request, agentId, capacityOf } = await setUp();
      const first = await ownership.claim(request({ capacity: { maxSessions: 2 } }));
      assert.ok(first.ok);
      const mostSessions = async (): Promise<number | undefined> => {
        await ownership.flush?.();
        return capacityOf ? (await capacityOf(agentId))?.maxSessions : undefined;
      };
      const expect = async (maxSessions: number): Promise<void> => {
        const found = await mostSessions();
        if (capacityOf) assert.equal(found, maxSessions);
      };
      const say = (epoch: number, status: 'online' | 'draining', maxSessions?: number): Promise<void> =>
        ownership.heard(agentId, epoch, {
          status,
          activeSessions: 0,
          ...(maxSessions !== undefined && { capacity: { maxSessions } }),
        });
      await expect(2);
      await say(first.epoch, 'online', 5);
      await say(first.epoch, 'online');
      await expect(5);
      await say(first.epoch, 'draining', 7);
      await say(first.epoch, 'online');
      await expect(7);
      const second = await ownership.claim(request({ capacity: { maxSessions: 3 } }));
      assert.ok(second.ok);
      await say(first.epoch, 'online', 9);
      await expect(3);
    });

    it('refuses the third change of instance within a minute and names the incumbent', async () => {
      const { ownership, request } = await setUp();
      for (const instanceId of ['one', 'two', 'one'])
        assert.ok((await ownership.claim(request({ instanceId }))).ok);
      const refused = await ownership.claim(request({ instanceId: 'two' }));
      assert.ok(!refused.ok);
      assert.equal(refused.code, 'duplicate_instance');
      assert.equal(refused.incumbent, 'one');
      assert.ok((await ownership.claim(request({ instanceId: 'one' }))).ok);
    });

    it('takes an instance for no duplicate that comes after the last one has gone', async () => {
      const { ownership, request, agentId } = await setUp();
      for (let i = 0; i < 5; i++) {
        const next = request();
        const claim = await ownership.claim(next);
        assert.ok(claim.ok);
        await ownership.release(agentId, next.connectionId, claim.epoch);
      }
    });

    it('takes a higher fencing token for the proof of an election', async () => {
      const { ownership, request } = await setUp();
      for (let fencingToken = 1; fencingToken <= 5; fencingToken++)
        assert.ok((await ownership.claim(request({ fencingToken }))).ok);
      const refused = await ownership.claim(request({ fencingToken: 5 }));
      assert.ok(!refused.ok);
      assert.equal(refused.code, 'duplicate_instance');
    });
  });
}
