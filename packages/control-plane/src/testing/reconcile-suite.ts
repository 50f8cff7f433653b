import assert from 'node:assert/strict';
import type { TestRunner } from '@streamspace/hub/testing';
import type { Judged, SessionChange } from '../domain/ports.js';
import { extendDeadlines } from '../stores/command-queue.js';
import { rowOf } from './agent-rows.js';
import type { Fixtures } from './fixtures.js';

/** Changes that the reconciler makes: each only while what was judged still holds. */
export function reconcileSuite({ describe, it }: TestRunner, fixtures: () => Promise<Fixtures>): void {
  /** A session that runs, on an agent that has connected anew since. */
  const setUp = async () => {
    const on = await fixtures();
    const user = await on.addUser();
    const agent = await on.addAgent();
    const { id } = await on.createSession(on.request({ userId: user.id, platform: agent.platform }));
    const [start] = await on.commands.claim(agent.agentId, agent.epoch, 10);
    await on.commands.finish(start!.commandId, agent.agentId, { state: 'completed' });
    const before = (await on.sessions.heldBy(agent.agentId, []))[0];
    const epoch = await on.reconnect(agent);
    const judged: Judged = { sessionId: id, agentId: agent.agentId, epoch, generation: 1 };
    const claim = () => on.commands.claim(agent.agentId, epoch, 10);
    return { on, id, agent, judged, before, claim };
  };

  describe('reconciling', () => {
    it('counts a session as busy while a command is open, and just after one on the same connection', async () => {
      const { on, id, agent, before, judged } = await setUp();
      assert.equal(before?.busy, true);
      const [after] = await on.sessions.heldBy(agent.agentId, []);
      assert.deepEqual(after, {
        id,
        agentId: agent.agentId,
        generation: 1,
        desired: 'running',
        state: 'running',
        busy: false,
      });
      await on.sessions.reconcile(judged, { action: 'restart', newGeneration: 2 });
      assert.equal((await on.sessions.heldBy(agent.agentId, []))[0]?.busy, true);
    });

    it('finds sessions that the agent names, wherever they belong', async () => {
      const { on, id } = await setUp();
      const elsewhere = await on.addAgent();
      const found = await on.sessions.heldBy(elsewhere.agentId, [id, 'nobody-knows-this']);
      assert.deepEqual(
        found.map((session) => session.id),
        [id],
      );
    });

    it('starts a session again as a new generation, once', async () => {
      const { on, id, judged, claim } = await setUp();
      const both = await Promise.all([
        on.sessions.reconcile(judged, { action: 'restart', newGeneration: 2 }),
        on.sessions.reconcile(judged, { action: 'restart', newGeneration: 2 }),
      ]);
      assert.deepEqual(both.sort(), ['changed', 'unchanged']);
      const session = await on.sessions.find(id);
      assert.equal(session?.state, 'pending');
      assert.equal(session.generation, 2);
      const [start, ...more] = await claim();
      assert.equal(more.length, 0);
      assert.equal(start?.generation, 2);
      assert.deepEqual(start.payload['templateManifest'], on.template.manifest);
    });

    it('changes nothing on the word of an older connection, or about an older generation', async () => {
      const { on, judged, claim } = await setUp();
      const old = { ...judged, epoch: judged.epoch - 1 };
      assert.equal(await on.sessions.reconcile(old, { action: 'restart', newGeneration: 2 }), 'stale');
      assert.equal(await on.sessions.reconcile(old, { action: 'failed', code: 'x', message: 'x' }), 'stale');
      assert.equal(
        await on.sessions.reconcile(
          { ...judged, generation: 0 },
          { action: 'failed', code: 'x', message: 'x' },
        ),
        'unchanged',
      );
      assert.deepEqual(await claim(), []);
    });

    it('changes nothing on the word of a connection that was released', async () => {
      const { on, id, agent, judged, claim } = await setUp();
      const connectionId = (await rowOf(on.database, agent.agentId)).websocket_conn_id!;
      await on.ownership.release(agent.agentId, connectionId, judged.epoch);
      const restart: SessionChange = { action: 'restart', newGeneration: 2 };
      assert.equal(await on.sessions.reconcile(judged, restart), 'stale');
      assert.equal((await on.sessions.find(id))?.state, 'running');
      assert.deepEqual(await claim(), []);
    });

    it('does not start again what was stopped meanwhile', async () => {
      const { on, id, judged } = await setUp();
      await on.sessions.stop(id);
      assert.equal(await on.sessions.reconcile(judged, { action: 'restart', newGeneration: 2 }), 'unchanged');
    });

    it('ends what the agent does not hold any more', async () => {
      const { on, id, agent, judged, claim } = await setUp();
      await on.sessions.stop(id);
      const [stop] = await claim();
      assert.equal(await on.sessions.reconcile(judged, { action: 'terminated' }), 'unchanged');
      await on.commands.finish(stop!.commandId, agent.agentId, {
        state: 'failed',
        error: 'It hangs.',
        code: 'hangs',
      });
      const session = await on.sessions.find(id);
      assert.equal(session?.state, 'terminating');
      assert.equal(session.error?.code, 'hangs');
      assert.equal(await on.sessions.reconcile(judged, { action: 'terminated' }), 'changed');
      assert.equal((await on.sessions.find(id))?.state, 'terminated');
    });

    it('stops what could not be stopped while the agent was away', async () => {
      const { on, id, agent, judged, claim } = await setUp();
      await on.sessions.stop(id);
      await on.commands.expire(Date.now() + 61_000);
      const [held] = await on.sessions.heldBy(agent.agentId, []);
      assert.deepEqual(
        [held?.id, held?.state, held?.desired, held?.busy],
        [id, 'terminating', 'terminated', false],
      );
      assert.equal(await on.sessions.reconcile(judged, { action: 'stop', heldGeneration: 1 }), 'changed');
      const [stop] = await claim();
      assert.equal(stop?.action, 'stop_session');
      await on.commands.finish(stop.commandId, agent.agentId, { state: 'completed' });
      assert.equal((await on.sessions.find(id))?.state, 'terminated');
    });

    it('stops what the agent holds though it should not, with a generation that the agent takes', async () => {
      const { on, judged, claim } = await setUp();
      assert.equal(await on.sessions.reconcile(judged, { action: 'stop', heldGeneration: 1 }), 'unchanged');
      await on.sessions.reconcile(judged, {
        action: 'failed',
        code: 'session_failed',
        message: 'It crashed.',
      });
      assert.equal(await on.sessions.reconcile(judged, { action: 'stop', heldGeneration: 3 }), 'changed');
      const [stop] = await claim();
      assert.equal(stop?.action, 'stop_session');
      assert.equal(stop.generation, 3);
    });

    it('stops what another agent holds of a session, and neither delays nor changes the session', async () => {
      const { on, id, agent, judged, claim } = await setUp();
      const other = await on.addAgent();
      const foreign: Judged = { ...judged, agentId: other.agentId, epoch: other.epoch };
      assert.equal(await on.sessions.reconcile(foreign, { action: 'stop', heldGeneration: 1 }), 'changed');
      // Its own next inventory leaves it alone; the agent that the session is on has nothing to wait for.
      assert.equal((await on.sessions.heldBy(other.agentId, [id]))[0]?.busy, true);
      assert.equal((await on.sessions.heldBy(agent.agentId, [id]))[0]?.busy, false);
      assert.equal(await on.sessions.reconcile(judged, { action: 'restart', newGeneration: 2 }), 'changed');
      const [start] = await claim();
      assert.equal(start?.action, 'start_session');
      assert.equal(
        await on.sessions.reconcile({ ...foreign, generation: 2 }, { action: 'stop', heldGeneration: 2 }),
        'unchanged',
      );
      const [cleanUp] = await on.commands.claim(other.agentId, other.epoch, 10);
      assert.equal(cleanUp?.action, 'stop_session');
      await on.commands.finish(cleanUp.commandId, other.agentId, { state: 'failed', error: 'Ha!' });
      assert.equal(
        await on.sessions.reconcile({ ...foreign, generation: 2 }, { action: 'stop', heldGeneration: 2 }),
        'changed',
      );
      await on.commands.finish(start.commandId, agent.agentId, { state: 'completed' });
      const running = await on.sessions.find(id);
      assert.equal(running?.state, 'running');
      assert.equal(running.error, null);
      assert.equal((await on.sessions.stop(id))?.state, 'terminating');
      const [second] = await on.commands.claim(other.agentId, other.epoch, 10);
      await on.commands.finish(second!.commandId, other.agentId, { state: 'completed' });
      assert.equal((await on.sessions.find(id))?.state, 'terminating');
      const [stop] = await claim();
      await on.commands.finish(stop!.commandId, agent.agentId, { state: 'completed' });
      assert.equal((await on.sessions.find(id))?.state, 'terminated');
    });

    it('lets no agent drive generations to where they cannot grow', async () => {
      const { on, id, judged, claim } = await setUp();
      assert.equal(
        await on.sessions.reconcile(judged, { action: 'restart', newGeneration: Number.MAX_SAFE_INTEGER }),
        'changed',
      );
      const [start] = await claim();
      assert.equal(start?.generation, 1_000_001);
      assert.equal((await on.sessions.find(id))?.generation, 1_000_001);
      const other = await on.addAgent();
      const foreign = { ...judged, generation: 1_000_001, agentId: other.agentId, epoch: other.epoch };
      assert.equal(
        await on.sessions.reconcile(foreign, { action: 'stop', heldGeneration: Number.MAX_SAFE_INTEGER }),
        'changed',
      );
      const [stop] = await on.commands.claim(other.agentId, other.epoch, 10);
      assert.equal(stop?.generation, 2_000_001);
    });

    it('gives commands that were on their way when everything stopped their full time again', async () => {
      const { on, judged } = await setUp();
      await on.sessions.reconcile(judged, { action: 'restart', newGeneration: 2 });
      await extendDeadlines(on.database, Date.now() + 300_000);
      const expired = await on.commands.expire(Date.now() + 200_000);
      assert.ok(!expired.some((command) => command.sessionId === judged.sessionId));
    });
  });
}
