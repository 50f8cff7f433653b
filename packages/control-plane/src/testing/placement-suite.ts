import assert from 'node:assert/strict';
import type { TestRunner } from '@streamspace/hub/testing';
import type { Fixtures } from './fixtures.js';

const codeOf = (result: PromiseSettledResult<unknown>): unknown =>
  result.status === 'rejected' ? (result.reason as { code?: unknown }).code : 'created';

/** Where sessions go, how many, and what becomes of those that find no place. */
export function placementSuite({ describe, it }: TestRunner, fixtures: () => Promise<Fixtures>): void {
  const setUp = async (limits: { maxSessions?: number } = {}) => {
    const on = await fixtures();
    const user = await on.addUser();
    const agent = await on.addAgent(limits);
    const request = (more: Partial<Parameters<typeof on.request>[0]> = {}) =>
      on.request({ userId: user.id, platform: agent.platform, ...more });
    const finishAll = async () => {
      for (const command of await on.commands.claim(agent.agentId, agent.epoch, 100))
        await on.commands.finish(command.commandId, agent.agentId, { state: 'completed' });
    };
    return { on, user, agent, request, finishAll };
  };

  describe('placement', () => {
    it('gives an agent exactly as many sessions as it takes, of fifty that are asked for at once', async () => {
      const { on, agent, request } = await setUp({ maxSessions: 10 });
      const results = await Promise.allSettled(
        Array.from({ length: 50 }, () => on.sessions.create(request())),
      );
      const codes = results.map(codeOf);
      assert.equal(codes.filter((code) => code === 'created').length, 10);
      assert.equal(codes.filter((code) => code === 'no_agents_available').length, 40);
      const found = (await on.agents.list()).find(({ agentId }) => agentId === agent.agentId);
      assert.equal(found?.sessions, 10);
    });

    it('gives a user no more sessions than the quota, of many that are asked for at once', async () => {
      const { on, request, finishAll } = await setUp();
      const results = await Promise.allSettled(
        Array.from({ length: 8 }, () => on.sessions.create(request({ quota: 3 }))),
      );
      const codes = results.map(codeOf);
      assert.equal(codes.filter((code) => code === 'created').length, 3);
      assert.equal(codes.filter((code) => code === 'quota_exceeded').length, 5);
      const [first] = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      await finishAll();
      await on.sessions.stop(first!.session.id);
      await finishAll();
      assert.ok((await on.sessions.create(request({ quota: 3 }))).created);
    });

    it('looks at labels, region and isolation as the agent registered them', async () => {
      const { on, agent, request } = await setUp();
      const { agentId, platform } = agent;
      const wanted = { region: 'north', labels: { gpu: 'a100' }, unisolated: false };
      await assert.rejects(on.sessions.create(request(wanted)), /its region is unknown, not north/);
      const metadata = { labels: { gpu: 'a100', extra: 'x' }, isolated: false };
      await on.agents.register({ agentId, platform, region: 'north', metadata });
      await assert.rejects(on.sessions.create(request(wanted)), /only administrators may use it/);
      assert.ok((await on.sessions.create(request({ ...wanted, unisolated: true }))).created);
      await on.agents.register({ agentId, platform, metadata: { isolated: true } });
      assert.ok((await on.sessions.create(request(wanted))).created);
    });

    it('puts no session on an agent that is draining', async () => {
      const { on, agent, request } = await setUp();
      await on.ownership.heard(agent.agentId, agent.epoch, { status: 'draining', activeSessions: 0 });
      await assert.rejects(on.sessions.create(request()), /it is draining/);
    });

    it('lets a session wait, and gives it the place that becomes free, the oldest first', async () => {
      const { on, agent, request, finishAll } = await setUp({ maxSessions: 1 });
      const { session: first } = await on.sessions.create(request());
      await finishAll();
      const { session: second } = await on.sessions.create(request({ waitMs: 60_000 }));
      const { session: third } = await on.sessions.create(request({ waitMs: 60_000 }));
      assert.deepEqual([second.state, second.agentId, third.agentId], ['pending', null, null]);
      const placed = async () => (await on.sessions.placeWaiting()).map(({ id }) => id);
      assert.ok(!(await placed()).includes(second.id));
      await on.sessions.stop(first.id);
      const both = (await Promise.all([placed(), placed()])).flat();
      assert.deepEqual(
        both.filter((id) => [second.id, third.id].includes(id)),
        [second.id],
      );
      const found = await on.sessions.find(second.id);
      assert.equal(found?.agentId, agent.agentId);
      assert.equal(found.platform, agent.platform);
      await finishAll();
      assert.equal((await on.sessions.find(second.id))?.state, 'running');
      await on.sessions.stop(third.id);
      assert.equal((await on.sessions.find(third.id))?.state, 'terminated');
    });

    it('fails a session that has waited for too long, saying of each agent why it could not take it', async () => {
      const { on, request } = await setUp({ maxSessions: 1 });
      await on.sessions.create(request());
      const { session } = await on.sessions.create(request({ waitMs: 1 }));
      await on.database.query(`update sessions set wait_until = now() - interval '1 second' where id = $1`, [
        session.id,
      ]);
      assert.ok((await on.sessions.placeWaiting()).some(({ id }) => id === session.id));
      const failed = await on.sessions.find(session.id);
      assert.equal(failed?.state, 'failed');
      assert.equal(failed.error?.code, 'no_agents_available');
      assert.match(failed.error.message, /No agents available.*it is full \(1 of 1 sessions\)/s);
    });

    it('judges an agent by its connection here, and not by what could not be written', async () => {
      const { on, agent } = await setUp();
      await on.database.query(
        `update agent_heartbeats set last_heartbeat = now() - interval '1 hour'
          where agent_id = (select id from agents where agent_id = $1)`,
        [agent.agentId],
      );
      const status = async () =>
        (await on.agents.list()).find(({ agentId }) => agentId === agent.agentId)?.status;
      assert.equal(await status(), 'offline');
      on.held.add(agent.agentId);
      assert.equal(await status(), 'online');
    });
  });
}
