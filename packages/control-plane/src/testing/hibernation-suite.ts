import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { Action } from '@streamspace/protocol';
import type { TestRunner } from '@streamspace/hub/testing';
import type { Session } from '../domain/session.js';
import type { Fixtures } from './fixtures.js';

/** What failing does to a desktop that is put away or woken: it is never lost by it. */
export function hibernationSuite({ describe, it }: TestRunner, fixtures: () => Promise<Fixtures>): void {
  /** A session that runs, with an agent that does what it is told when the test says so. */
  const setUp = async () => {
    const on = await fixtures();
    const user = await on.addUser();
    const agent = await on.addAgent();
    const { id } = await on.createSession(on.request({ userId: user.id, platform: agent.platform }));
    let epoch = agent.epoch;
    const claim = () => on.commands.claim(agent.agentId, epoch, 10);
    /** The one command that waits for the agent. */
    const take = async (action: Action): Promise<string> => {
      const [command, ...more] = await claim();
      assert.equal(more.length, 0);
      assert.equal(command?.action, action);
      assert.equal(command.sessionId, id);
      assert.equal(command.generation, 1);
      return command.commandId;
    };
    const complete = (commandId: string) =>
      on.commands.finish(commandId, agent.agentId, { state: 'completed' }, epoch);
    const fail = (commandId: string, code: string) =>
      on.commands.finish(
        commandId,
        agent.agentId,
        { state: 'failed', error: 'It did not work.', code },
        epoch,
      );
    const reconnect = async () => (epoch = await on.reconnect(agent));
    const hibernated = async () => {
      await on.sessions.hibernate(id);
      await complete(await take('hibernate_session'));
    };
    const is = async (state: Session['state'], desired: string, code: string | null = null) => {
      const { rows } = await on.database.query(
        'select state, desired_state, error_code, error_message is null as silent from sessions where id = $1',
        [id],
      );
      assert.deepEqual(rows, [{ state, desired_state: desired, error_code: code, silent: code === null }]);
    };
    const judged = () => ({ sessionId: id, agentId: agent.agentId, epoch, generation: 1 });
    const recall = () => on.commands.recall(agent.agentId, epoch, []);
    const expire = () => on.commands.expire(Date.now() + 61_000);
    await complete(await take('start_session'));
    return { on, id, agent, claim, take, complete, fail, reconnect, hibernated, is, judged, recall, expire };
  };

  describe('a wake', () => {
    it('that fails leaves the session hibernated, with the reason, and it can be woken again', async () => {
      const { on, id, take, complete, fail, hibernated, is, claim } = await setUp();
      await hibernated();
      await on.sessions.wake(id);
      await fail(await take('wake_session'), 'capacity_exhausted');
      await is('hibernated', 'hibernated', 'capacity_exhausted');
      assert.deepEqual(await claim(), []);
      await on.sessions.wake(id);
      await is('pending', 'running');
      await complete(await take('wake_session'));
      await is('running', 'running');
    });

    it('that finds no session says that it is gone', async () => {
      const { on, id, take, fail, hibernated, is } = await setUp();
      await hibernated();
      await on.sessions.wake(id);
      await fail(await take('wake_session'), 'session_not_found');
      await is('failed', 'terminated', 'session_not_found');
    });

    it('that nobody took in time leaves the session hibernated, and nothing is to be undone', async () => {
      const { on, id, claim, hibernated, is, expire } = await setUp();
      await hibernated();
      await on.sessions.wake(id);
      await expire();
      await is('hibernated', 'hibernated', 'agent_unavailable');
      assert.deepEqual(await claim(), []);
    });

    it('that nobody finished in time is undone by hibernating, and the reason stays', async () => {
      const { on, id, agent, claim, take, complete, hibernated, is, expire } = await setUp();
      await hibernated();
      await on.sessions.wake(id);
      const wake = await take('wake_session');
      await expire();
      await is('hibernated', 'hibernated', 'deadline_exceeded');
      assert.equal(await complete(wake), false);
      await is('hibernated', 'hibernated', 'deadline_exceeded');
      assert.equal((await on.sessions.heldBy(agent.agentId, []))[0]?.busy, true);
      await complete(await take('hibernate_session'));
      await is('hibernated', 'hibernated', 'deadline_exceeded');
      assert.deepEqual(await claim(), []);
    });

    it('that was sent as often as it may be is undone by hibernating', async () => {
      const { on, id, claim, take, reconnect, hibernated, is } = await setUp();
      await hibernated();
      await on.sessions.wake(id);
      const wake = await take('wake_session');
      await on.database.query('update agent_commands set retry_count = 10 where command_id = $1', [wake]);
      await reconnect();
      assert.deepEqual(await claim(), []);
      await is('hibernated', 'hibernated', 'attempts_exhausted');
      await take('hibernate_session');
    });

    it('can be asked for again while the last one is being undone, and is told to the agent after that', async () => {
      const { on, id, take, complete, hibernated, is, expire } = await setUp();
      await hibernated();
      await on.sessions.wake(id);
      await take('wake_session');
      await expire();
      await on.sessions.wake(id);
      await complete(await take('hibernate_session'));
      await is('pending', 'running');
      await complete(await take('wake_session'));
      await is('running', 'running');
    });

    it('that is undone in vain leaves the session to the next inventory', async () => {
      const { on, id, take, fail, hibernated, is, judged, expire } = await setUp();
      await hibernated();
      await on.sessions.wake(id);
      await take('wake_session');
      await expire();
      await fail(await take('hibernate_session'), 'platform_unavailable');
      await is('hibernated', 'hibernated', 'deadline_exceeded');
      assert.equal(await on.sessions.reconcile(judged(), { action: 'keep_running' }), 'changed');
      await is('running', 'running', 'deadline_exceeded');
    });

    it('that fails after the session was stopped changes nothing, and is not undone', async () => {
      const { on, id, claim, take, complete, hibernated, is } = await setUp();
      await hibernated();
      await on.sessions.wake(id);
      const wake = await take('wake_session');
      await on.sessions.stop(id);
      await on.database.query('update agent_commands set deadline = now() where command_id = $1', [wake]);
      await on.commands.expire(Date.now() + 1_000);
      await is('terminating', 'terminated');
      await complete(await take('stop_session'));
      await is('terminated', 'terminated');
      assert.deepEqual(await claim(), []);
    });

    it('that a stop in the queue takes back leaves the session hibernated, with the reason', async () => {
      const { on, id, agent, take, hibernated, is } = await setUp();
      await hibernated();
      await on.sessions.wake(id);
      await on.commands.enqueue({
        commandId: randomUUID(),
        agentId: agent.agentId,
        sessionId: id,
        generation: 1,
        action: 'stop_session',
        payload: {},
        deadline: Date.now() + 60_000,
      });
      await is('hibernated', 'hibernated', 'cancelled');
      await take('stop_session');
    });

    it('that was recalled is carried out before a stop, and hibernated again when it is given up', async () => {
      for (const ending of ['stop', 'expire']) {
        const { on, id, claim, take, complete, hibernated, is, recall, expire } = await setUp();
        await hibernated();
        await on.sessions.wake(id);
        await take('wake_session');
        await recall();
        if (ending === 'stop') {
          await on.sessions.stop(id);
          await complete(await take('wake_session'));
          await is('terminating', 'terminated');
          await complete(await take('stop_session'));
          await is('terminated', 'terminated');
        } else {
          await expire();
          await is('hibernated', 'hibernated', 'deadline_exceeded');
          await complete(await take('hibernate_session'));
        }
        assert.deepEqual(await claim(), []);
      }
    });

    it('that its user takes back with a stop ends the session', async () => {
      const { on, id, take, complete, hibernated, is } = await setUp();
      await hibernated();
      await on.sessions.wake(id);
      await on.sessions.stop(id);
      await is('terminating', 'terminated');
      await complete(await take('stop_session'));
      await is('terminated', 'terminated');
    });
  });

  describe('hibernating', () => {
    it('that fails leaves the session running at once, with the reason, and can be asked for again', async () => {
      const { on, id, take, fail, hibernated, is, claim } = await setUp();
      await on.sessions.hibernate(id);
      await is('running', 'hibernated');
      await fail(await take('hibernate_session'), 'platform_unavailable');
      await is('running', 'running', 'platform_unavailable');
      assert.deepEqual(await claim(), []);
      await hibernated();
      await is('hibernated', 'hibernated');
    });

    it('that nobody took or finished in time leaves it running, and follows the agent where it was done', async () => {
      const { on, id, take, reconnect, is, judged, expire } = await setUp();
      await on.sessions.hibernate(id);
      await expire();
      await is('running', 'running', 'agent_unavailable');
      await on.sessions.hibernate(id);
      await take('hibernate_session');
      await expire();
      await is('running', 'running', 'deadline_exceeded');
      await reconnect();
      assert.equal(await on.sessions.reconcile(judged(), { action: 'hibernated' }), 'changed');
      await is('hibernated', 'hibernated');
    });

    it('that finds no session says that it is gone', async () => {
      const { on, id, take, fail, is } = await setUp();
      await on.sessions.hibernate(id);
      await fail(await take('hibernate_session'), 'session_not_found');
      await is('failed', 'terminated', 'session_not_found');
    });

    it('that was recalled is carried out before a stop', async () => {
      const { on, id, claim, take, complete, is, recall } = await setUp();
      await on.sessions.hibernate(id);
      await take('hibernate_session');
      await recall();
      await on.sessions.stop(id);
      await complete(await take('hibernate_session'));
      await is('terminating', 'terminated');
      await complete(await take('stop_session'));
      await is('terminated', 'terminated');
      assert.deepEqual(await claim(), []);
    });

    it('that fails after the session was stopped changes nothing', async () => {
      const { on, id, take, complete, fail, is } = await setUp();
      await on.sessions.hibernate(id);
      const hibernate = await take('hibernate_session');
      await on.sessions.stop(id);
      await fail(hibernate, 'cancelled');
      await is('terminating', 'terminated');
      await complete(await take('stop_session'));
      await is('terminated', 'terminated');
    });
  });
}
