import assert from 'node:assert/strict';
import type { TestRunner } from '@streamspace/hub/testing';
import { hashToken } from '../auth/secrets.js';
import type { Session } from '../domain/session.js';
import type { Fixtures } from './fixtures.js';

const refusedWith =
  (code: string) =>
  (error: unknown): boolean => {
    assert.equal((error as { code?: unknown }).code, code, String(error));
    return true;
  };

/** Sessions and the commands that carry them out. */
export function sessionsSuite({ describe, it }: TestRunner, fixtures: () => Promise<Fixtures>): void {
  const setUp = async (limits: { maxSessions?: number } = {}) => {
    const on = await fixtures();
    const user = await on.addUser();
    const agent = await on.addAgent(limits);
    const request = on.request({ userId: user.id, platform: agent.platform });
    const state = async (id: string): Promise<Session['state'] | undefined> =>
      (await on.sessions.find(id))?.state;
    const claim = () => on.commands.claim(agent.agentId, agent.epoch, 10);
    return { on, user, agent, request, state, claim };
  };

  describe('sessions', () => {
    it('are created together with their start, which carries what the platform needs', async () => {
      const { on, user, agent, request, claim } = await setUp();
      const session = await on.createSession(request);
      assert.equal(session.state, 'pending');
      assert.equal(session.user, user.username);
      assert.equal(session.agentId, agent.agentId);
      assert.equal(session.generation, 1);
      const [start] = await claim();
      assert.equal(start?.action, 'start_session');
      assert.deepEqual(start.payload, {
        user: user.username,
        template: on.template.name,
        templateManifest: on.template.manifest,
        persistentHome: true,
      });
    });

    it('run when their start is completed, and have ended when their stop is', async () => {
      const { on, agent, request, state, claim } = await setUp();
      const { id } = await on.createSession(request);
      const [start] = await claim();
      await on.commands.finish(start!.commandId, agent.agentId, { state: 'completed', result: {} });
      assert.equal(await state(id), 'running');
      assert.equal((await on.sessions.stop(id))?.state, 'terminating');
      const [stop] = await claim();
      assert.equal(stop?.action, 'stop_session');
      assert.equal(stop.generation, 1);
      await on.commands.finish(stop.commandId, agent.agentId, { state: 'completed' });
      assert.equal(await state(id), 'terminated');
    });

    it('fail with code and reason when their start does, and are not wanted any more', async () => {
      const { on, agent, request, claim } = await setUp();
      const { id } = await on.createSession(request);
      const [start] = await claim();
      const outcome = { state: 'failed', error: 'No such image.', code: 'image_missing' } as const;
      await on.commands.finish(start!.commandId, agent.agentId, outcome);
      const session = await on.sessions.find(id);
      assert.equal(session?.state, 'failed');
      assert.deepEqual(session.error, { code: 'image_missing', message: 'No such image.' });
      const [held] = await on.sessions.heldBy(agent.agentId, [id]);
      assert.equal(held?.desired, 'terminated');
    });

    it('take an outcome whatever characters it is made of', async () => {
      const { on, user, agent, request, claim } = await setUp();
      const { id } = await on.createSession(request);
      const other = await on.createSession(on.request({ userId: user.id, platform: agent.platform }));
      const odd = 'NUL \0 and half \ud800 a pair';
      for (const { sessionId, commandId } of await claim())
        await on.commands.finish(
          commandId,
          agent.agentId,
          sessionId === id
            ? { state: 'failed', error: odd }
            : { state: 'completed', result: { platformMetadata: { odd } } },
        );
      assert.deepEqual((await on.sessions.find(id))?.error, {
        code: 'command_failed',
        message: 'NUL \ufffd and half \ufffd a pair',
      });
      assert.equal((await on.sessions.find(other.id))?.state, 'running');
    });

    it('ignore the result of a start that came after their stop was asked for', async () => {
      const { on, agent, request, state, claim } = await setUp();
      const { id } = await on.createSession(request);
      const [start] = await claim();
      await on.sessions.stop(id);
      await on.commands.finish(start!.commandId, agent.agentId, { state: 'completed' });
      assert.equal(await state(id), 'terminating');
    });

    it('are the same session when asked for again in the same way, and an error in another', async () => {
      const { on, request, claim } = await setUp();
      const results = await Promise.all([1, 2, 3].map(() => on.sessions.create(request)));
      assert.equal(results.filter((result) => result.created).length, 1);
      assert.equal((await claim()).length, 1);
      const other = { ...request, requestHash: hashToken('other') };
      await assert.rejects(on.sessions.create(other), refusedWith('session_exists'));
    });

    it('never exceed an agent’s capacity, however many are created at once', async () => {
      const { on, user, agent } = await setUp({ maxSessions: 3 });
      const attempts = await Promise.allSettled(
        Array.from({ length: 8 }, () =>
          on.createSession(on.request({ userId: user.id, platform: agent.platform })),
        ),
      );
      const refused = attempts.filter((attempt) => attempt.status === 'rejected');
      assert.equal(refused.length, 5);
      for (const attempt of refused) refusedWith('no_agents_available')(attempt.reason);
    });

    it('are placed on no agent that is offline, full or of another platform, and it is said why', async () => {
      const { on, user, agent } = await setUp();
      await on.database.query(`update agents set status = 'offline' where agent_id = $1`, [agent.agentId]);
      const request = on.request({ userId: user.id, platform: agent.platform });
      await assert.rejects(on.createSession(request), (error: Error) => {
        refusedWith('no_agents_available')(error);
        assert.match(error.message, /offline|more\.$/);
        return true;
      });
    });

    it('are made anew as the next generation when they have failed, once, where they were', async () => {
      const { on, agent, request, claim } = await setUp();
      const { id } = await on.createSession(request);
      const [start] = await claim();
      await on.commands.finish(start!.commandId, agent.agentId, { state: 'failed', error: 'It crashed.' });
      const results = await Promise.all([1, 2, 3].map(() => on.sessions.create(request)));
      assert.equal(results.filter(({ created }) => created).length, 1);
      for (const { session } of results) {
        assert.equal(session.generation, 2);
        assert.equal(session.state, 'pending');
        assert.equal(session.error, null);
        assert.equal(session.agentId, agent.agentId);
      }
      const [again, ...more] = await claim();
      assert.equal(more.length, 0);
      assert.equal(again?.action, 'start_session');
      assert.equal(again.generation, 2);
      const stranger = await on.addUser();
      await on.sessions.stop(id);
      await on.commands.finish(again.commandId, agent.agentId, { state: 'completed' });
      const [stop] = await claim();
      await on.commands.finish(stop!.commandId, agent.agentId, { state: 'completed' });
      assert.equal((await on.sessions.find(id))?.state, 'terminated');
      await assert.rejects(
        on.sessions.create({ ...request, userId: stranger.id }),
        refusedWith('session_exists'),
      );
    });

    it('end at once when they are stopped before anybody saw their start', async () => {
      const { on, request, claim } = await setUp();
      const { id } = await on.createSession(request);
      assert.equal((await on.sessions.stop(id))?.state, 'terminated');
      assert.deepEqual(await claim(), []);
    });

    it('are stopped after their start when that was recalled, which the agent may have all the same', async () => {
      const { on, agent, request, state, claim } = await setUp();
      const { id } = await on.createSession(request);
      await claim();
      await on.commands.recall(agent.agentId, agent.epoch, []);
      assert.equal((await on.sessions.stop(id))?.state, 'terminating');
      for (const action of ['start_session', 'stop_session']) {
        const [command, ...more] = await claim();
        assert.equal(more.length, 0);
        assert.equal(command?.action, action);
        await on.commands.finish(command.commandId, agent.agentId, { state: 'completed' }, agent.epoch);
      }
      assert.equal(await state(id), 'terminated');
      assert.deepEqual(await claim(), []);
    });

    it('say why they could not be stopped, count no more, and are stopped anew when that is asked for', async () => {
      const { on, user, agent, request, claim } = await setUp();
      const { id } = await on.createSession(request);
      const one = () => on.request({ userId: user.id, platform: agent.platform, quota: 1 });
      const [start] = await claim();
      await on.commands.finish(start!.commandId, agent.agentId, { state: 'completed' });
      await on.sessions.stop(id);
      await assert.rejects(on.sessions.create(one()), refusedWith('quota_exceeded'));
      const is = async (code: string) => {
        const session = await on.sessions.find(id);
        assert.equal(session?.state, 'terminating');
        assert.equal(session.error?.code, code);
      };
      await on.commands.expire(Date.now() + 61_000);
      await is('agent_unavailable');
      for (const code of ['it_hangs', 'it_hangs_on']) {
        await Promise.all([on.sessions.stop(id), on.sessions.stop(id)]);
        const [stop, ...more] = await claim();
        assert.equal(more.length, 0);
        assert.equal(stop?.action, 'stop_session');
        assert.equal((await on.sessions.stop(id))?.state, 'terminating');
        await on.commands.finish(stop.commandId, agent.agentId, { state: 'failed', error: 'No.', code });
        assert.deepEqual(await claim(), []);
        await is(code);
      }
      assert.ok((await on.sessions.create(one())).created);
      await claim();
      await on.sessions.stop(id);
      const [stop] = await claim();
      await on.commands.finish(stop!.commandId, agent.agentId, { state: 'completed' });
      const ended = await on.sessions.find(id);
      assert.equal(ended?.state, 'terminated');
      assert.equal(ended.error, null);
    });

    it('end when they cannot be stopped because their agent is no more', async () => {
      const { on, agent, request, claim } = await setUp();
      const { id } = await on.createSession(request);
      await claim();
      assert.equal((await on.sessions.stop(id))?.state, 'terminating');
      await on.database.query('delete from agents where agent_id = $1', [agent.agentId]);
      assert.equal((await on.sessions.stop(id))?.state, 'terminated');
    });

    it('can be stopped twice with one command', async () => {
      const { on, agent, request, claim } = await setUp();
      const { id } = await on.createSession(request);
      const [start] = await claim();
      await on.commands.finish(start!.commandId, agent.agentId, { state: 'completed' });
      await Promise.all([on.sessions.stop(id), on.sessions.stop(id)]);
      const [stop] = await claim();
      await on.commands.finish(stop!.commandId, agent.agentId, { state: 'completed' });
      assert.deepEqual(await claim(), []);
      assert.equal((await on.sessions.stop(id))?.state, 'terminated');
    });

    it('fail when nobody took their start in time, and when nobody finished it, which is then undone', async () => {
      const { on, user, agent, request, claim } = await setUp();
      const taken = await on.createSession(request);
      await claim();
      const waiting = await on.createSession(on.request({ userId: user.id, platform: agent.platform }));
      const expired = await on.commands.expire(Date.now() + 61_000);
      assert.ok(expired.some(({ sessionId, state }) => sessionId === taken.id && state === 'sent'));
      assert.ok(expired.some(({ sessionId, state }) => sessionId === waiting.id && state === 'pending'));
      assert.equal((await on.sessions.find(taken.id))?.error?.code, 'deadline_exceeded');
      assert.equal((await on.sessions.find(waiting.id))?.error?.code, 'agent_unavailable');
      const [stop, ...more] = await claim();
      assert.equal(more.length, 0);
      assert.equal(stop?.action, 'stop_session');
      assert.equal(stop.sessionId, taken.id);
      await on.commands.finish(stop.commandId, agent.agentId, { state: 'completed' });
      assert.equal((await on.sessions.find(taken.id))?.state, 'failed');
    });
  });
}
