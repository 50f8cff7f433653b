import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { TestRunner } from '@streamspace/hub/testing';
import { deleteOld } from '../stores/retention.js';
import type { Fixtures } from './fixtures.js';

/** Timelines, the audit, hibernating, and what is kept for how long. */
export function timelineSuite({ describe, it }: TestRunner, fixtures: () => Promise<Fixtures>): void {
  const setUp = async () => {
    const on = await fixtures();
    const user = await on.addUser();
    const agent = await on.addAgent();
    const { session } = await on.sessions.create(on.request({ userId: user.id, platform: agent.platform }));
    const finish = async (outcome: Parameters<typeof on.commands.finish>[2] = { state: 'completed' }) => {
      const commands = await on.commands.claim(agent.agentId, agent.epoch, 10);
      for (const { commandId } of commands) await on.commands.finish(commandId, agent.agentId, outcome);
      return commands.map(({ action }) => action);
    };
    const timeline = async () => on.events.list(session.id, { limit: 100 });
    const find = async () => (await on.sessions.find(session.id))!;
    return { on, user, agent, id: session.id, finish, timeline, find };
  };

  describe('a timeline', () => {
    it('has every change of a session’s state, in order, with who it is about', async () => {
      const { on, agent, id, finish, timeline } = await setUp();
      await finish();
      await on.sessions.stop(id);
      await finish();
      const events = await timeline();
      assert.deepEqual(
        events.map(({ kind, data }) => [kind, data['state']]),
        [
          ['created', 'pending'],
          ['state', 'running'],
          ['state', 'terminating'],
          ['state', 'terminated'],
        ],
      );
      assert.deepEqual(events[1]?.data, {
        state: 'running',
        from: 'pending',
        desired_state: 'running',
        agent_id: agent.agentId,
      });
      assert.equal(events[1]?.message, 'The session runs.');
      assert.deepEqual(
        (await on.events.list(id, { after: events[1].id, limit: 1 })).map((event) => event.id),
        [events[2]?.id],
      );
    });

    it('says why a session failed', async () => {
      const { finish, timeline } = await setUp();
      await finish({ state: 'failed', code: 'image_missing', error: 'There is no image x.' });
      const last = (await timeline()).at(-1);
      assert.equal(last?.message, 'The session failed: There is no image x.');
      assert.equal(last.data['error_code'], 'image_missing');
    });

    it('takes an agent’s word under its newest epoch, for its own sessions, of no older generation', async () => {
      const { on, agent, id, timeline } = await setUp();
      const other = await on.addAgent();
      const report = {
        agentId: agent.agentId,
        epoch: agent.epoch,
        sessionId: id,
        generation: 1,
        kind: 'idle',
        message: 'Nobody has moved for 5 min \0.',
        data: { idleSeconds: 300 },
      };
      assert.equal(await on.events.append(report), true);
      assert.equal(await on.events.append({ ...report, generation: 2 }), true);
      assert.equal(await on.events.append({ ...report, generation: 0 }), false);
      assert.equal(await on.events.append({ ...report, epoch: agent.epoch - 1 }), false);
      assert.equal(await on.events.append({ ...report, agentId: other.agentId, epoch: other.epoch }), false);
      assert.equal(await on.events.append({ ...report, sessionId: 'nobody-knows-this' }), false);
      const [, idle] = await timeline();
      assert.equal(idle?.kind, 'idle');
      assert.equal(idle.message, 'Nobody has moved for 5 min \ufffd.');
      assert.deepEqual(idle.data, { idleSeconds: 300 });
    });

    it('takes no more events in a minute than a person can use, and no long ones whole', async () => {
      const { on, agent, id, timeline } = await setUp();
      const report = { agentId: agent.agentId, epoch: agent.epoch, sessionId: id, generation: 1 };
      const long = { kind: 'x', message: 'm'.repeat(5_000), data: { d: 'd'.repeat(10_000) } };
      assert.equal(await on.events.append({ ...report, ...long }), true);
      const [, kept] = await timeline();
      assert.equal(kept?.message.length, 2_000);
      assert.deepEqual(Object.keys(kept.data), ['data_dropped']);
      const written: boolean[] = [];
      for (let n = 0; n < 125; n++)
        written.push(await on.events.append({ ...report, kind: 'x', message: 'again' }));
      assert.equal(written.filter(Boolean).length, 118);
    });
  });

  describe('hibernating', () => {
    it('keeps the session where it is, until it is woken', async () => {
      const { on, agent, id, finish, find } = await setUp();
      await finish();
      assert.equal((await on.sessions.hibernate(id))?.state, 'running');
      assert.equal((await on.sessions.hibernate(id))?.state, 'running');
      assert.deepEqual(await finish(), ['hibernate_session']);
      assert.equal((await find()).state, 'hibernated');
      const waking = await on.sessions.wake(id);
      assert.deepEqual([waking?.state, waking?.generation], ['pending', 1]);
      assert.equal((await on.sessions.wake(id))?.state, 'pending');
      const [wake] = await on.commands.claim(agent.agentId, agent.epoch, 10);
      assert.equal(wake?.action, 'wake_session');
      assert.deepEqual(wake.payload['templateManifest'], on.template.manifest);
      await on.commands.finish(wake.commandId, agent.agentId, { state: 'completed' });
      assert.equal((await find()).state, 'running');
    });

    it('is refused in any other state, and so is waking', async () => {
      const { on, id, finish } = await setUp();
      const refused = (what: RegExp) => (error: unknown) => {
        assert.equal((error as { code?: unknown }).code, 'session_state');
        assert.match((error as Error).message, what);
        return true;
      };
      await assert.rejects(on.sessions.hibernate(id), refused(/is pending; only one that is running/));
      await finish();
      await on.sessions.stop(id);
      await assert.rejects(on.sessions.hibernate(id), refused(/is terminating/));
      await assert.rejects(on.sessions.wake(id), refused(/only one that is hibernated can be woken/));
      assert.equal(await on.sessions.hibernate('nobody-knows-this'), undefined);
      assert.equal(await on.sessions.wake('nobody-knows-this'), undefined);
    });

    it('makes room on the agent, which waking needs again', async () => {
      const on = await fixtures();
      const user = await on.addUser();
      const agent = await on.addAgent({ maxSessions: 1 });
      const request = () => on.request({ userId: user.id, platform: agent.platform });
      const finish = async () => {
        for (const { commandId } of await on.commands.claim(agent.agentId, agent.epoch, 10))
          await on.commands.finish(commandId, agent.agentId, { state: 'completed' });
      };
      const { session } = await on.sessions.create(request());
      await finish();
      await on.sessions.hibernate(session.id);
      await assert.rejects(on.sessions.create(request()), /it is full/);
      await finish();
      const { session: second } = await on.sessions.create(request());
      await assert.rejects(on.sessions.wake(session.id), /it is full \(1 of 1 sessions\)/);
      await on.sessions.stop(second.id);
      assert.equal((await on.sessions.wake(session.id))?.state, 'pending');
    });

    it('is followed where the agent did it by itself, or did not do it', async () => {
      const { on, agent, id, finish, find } = await setUp();
      await finish();
      const epoch = await on.reconnect(agent);
      const judged = { sessionId: id, agentId: agent.agentId, epoch, generation: 1 };
      assert.equal(
        await on.sessions.reconcile({ ...judged, generation: 0 }, { action: 'hibernated' }),
        'unchanged',
      );
      assert.equal(await on.sessions.reconcile(judged, { action: 'hibernated' }), 'changed');
      assert.equal((await find()).state, 'hibernated');
      const [held] = await on.sessions.heldBy(agent.agentId, []);
      assert.equal(held?.desired, 'hibernated');
      assert.equal(await on.sessions.reconcile(judged, { action: 'keep_running' }), 'changed');
      assert.equal(await on.sessions.reconcile(judged, { action: 'keep_running' }), 'unchanged');
      assert.equal((await find()).state, 'running');
    });

    it('ends with the session', async () => {
      const { on, id, finish, find } = await setUp();
      await finish();
      await on.sessions.hibernate(id);
      await finish();
      assert.equal((await on.sessions.stop(id))?.state, 'terminating');
      assert.deepEqual(await finish(), ['stop_session']);
      assert.equal((await find()).state, 'terminated');
    });
  });

  describe('the audit', () => {
    it('keeps what was done, by whom, to what, the newest first', async () => {
      const on = await fixtures();
      const user = await on.addUser();
      const target = `agent-${randomUUID()}`;
      await on.audit.append({ actorId: user.id, action: 'agent_key_issued', target, address: '127.0.0.1' });
      await on.audit.append({ actor: 'st\0ranger', action: 'login_refused', target });
      const [second, first] = (await on.audit.list({ limit: 50 })).filter((entry) => entry.target === target);
      assert.equal(first?.actor, user.username);
      assert.equal(first.actorId, user.id);
      assert.equal(second?.actor, 'st\ufffdranger');
      assert.deepEqual(
        (await on.audit.list({ before: second.id, limit: 1 })).map(({ id }) => id),
        [first.id],
      );
    });
  });

  describe('retention', () => {
    it('deletes what is over and old, in batches, and nothing that a session’s state rests on', async () => {
      const { on, agent, id, finish, timeline } = await setUp();
      await finish();
      const old = `now() - interval '40 days'`;
      await on.database.query(`update agent_commands set created_at = ${old} where session_id = $1`, [id]);
      await on.database.query(
        `update session_events set at = ${old} where session_id = $1 and kind = 'created'`,
        [id],
      );
      await on.database.query(
        `insert into session_events (session_id, generation, kind, message, at)
         select $1, 1, 'x', 'x', ${old} from generate_series(1, 2500)`,
        [id],
      );
      const retention = { commandsDays: 7, eventsDays: 30, auditDays: 365 };
      assert.ok((await deleteOld(on.database, retention)) >= 2_501);
      assert.deepEqual(
        (await timeline()).map(({ kind }) => kind),
        ['state'],
      );
      const commands = async () => {
        const { rows } = await on.database.query(
          'select count(*) from agent_commands where session_id = $1',
          [id],
        );
        return rows[0]?.['count'];
      };
      assert.equal(await commands(), 1);
      assert.equal((await on.sessions.stop(id))?.state, 'terminating');
      await on.commands
        .claim(agent.agentId, agent.epoch, 10)
        .then(([stop]) => on.commands.finish(stop!.commandId, agent.agentId, { state: 'completed' }));
      await deleteOld(on.database, retention);
      assert.equal(await commands(), 1);
    });
  });
}
