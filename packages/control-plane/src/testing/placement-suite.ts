import assert from 'node:assert/strict';
import type { TestRunner } from '@streamspace/hub/testing';
import { isDatabaseError } from '../stores/database-error.js';
import { sqlSessionStore } from '../stores/sessions-store.js';
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

    it('fills eight agents exactly when more is asked for at once, and no transaction loses against another', async () => {
      const { on, request, agent } = await setUp({ maxSessions: 10 });
      const agents = [agent.agentId];
      while (agents.length < 8) {
        const { agentId } = await on.addAgent({ maxSessions: 10 });
        await on.agents.register({ agentId, platform: agent.platform });
        agents.push(agentId);
      }
      let conflicts = 0;
      const { database } = on;
      const sessions = sqlSessionStore({
        database: {
          query: (sql, params) => database.query(sql, params),
          script: (sql, options) => database.script(sql, options),
          transaction: (work) =>
            database.transaction(work).catch((error: unknown) => {
              if (isDatabaseError(error) && error.code === 'conflict') conflicts++;
              throw error;
            }),
          [Symbol.asyncDispose]: () => Promise.resolve(),
        },
        staleAfterMs: 60_000,
        commandTimeoutMs: 60_000,
      });
      const results = await Promise.allSettled(Array.from({ length: 100 }, () => sessions.create(request())));
      const codes = results.map(codeOf);
      assert.equal(codes.filter((code) => code === 'created').length, 80);
      assert.equal(codes.filter((code) => code === 'no_agents_available').length, 20);
      assert.equal(conflicts, 0);
      const held = (await on.agents.list()).filter(({ agentId }) => agents.includes(agentId));
      assert.deepEqual(
        held.map((one) => one.sessions),
        agents.map(() => 10),
      );
    });

    it('counts a session until its agent has ended it', async () => {
      const { on, agent, request, finishAll } = await setUp({ maxSessions: 1 });
      const { session } = await on.sessions.create(request());
      await finishAll();
      await on.sessions.stop(session.id);
      assert.equal((await on.sessions.find(session.id))?.state, 'terminating');
      const found = (await on.agents.list()).find(({ agentId }) => agentId === agent.agentId);
      assert.equal(found?.sessions, 1);
      await assert.rejects(on.sessions.create(request()), /it is full \(1 of 1 sessions\)/);
      const { session: waiting } = await on.sessions.create(request({ waitMs: 60_000 }));
      await on.sessions.placeWaiting();
      assert.equal((await on.sessions.find(waiting.id))?.agentId, null);
      await finishAll();
      await on.sessions.placeWaiting();
      assert.equal((await on.sessions.find(waiting.id))?.agentId, agent.agentId);
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
      // What did not say that it isolates sessions, or not as it is said, does not.
      for (const said of [{}, { isolated: 'true' }, { isolated: null }]) {
        await on.agents.register({ agentId, platform, metadata: said });
        await assert.rejects(
          on.sessions.create(request({ unisolated: false })),
          /its sessions are not isolated from each other, so only administrators may use it/,
        );
      }
      const metadata = { labels: { gpu: 'a100', extra: 'x' }, isolated: false };
      await on.agents.register({ agentId, platform, region: 'north', metadata });
      await assert.rejects(on.sessions.create(request(wanted)), /only administrators may use it/);
      assert.ok((await on.sessions.create(request({ ...wanted, unisolated: true }))).created);
      await on.agents.register({ agentId, platform, metadata: { isolated: true } });
      assert.ok((await on.sessions.create(request(wanted))).created);
      // What it said before does not hold for a registration that does not say it.
      for (const metadata of [undefined, { labels: { gpu: 'a100' } }]) {
        await on.agents.register({ agentId, platform, metadata: { isolated: true } });
        await on.agents.register({ agentId, platform, ...(metadata && { metadata }) });
        await assert.rejects(on.sessions.create(request(wanted)), /only administrators may use it/);
      }
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
      await finishAll();
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

    it('leaves to sessions that wait the room that they can use, and the rest to who comes', async () => {
      const { on, agent, request, finishAll } = await setUp({ maxSessions: 2 });
      const { session: first } = await on.sessions.create(request());
      const { session: second } = await on.sessions.create(request());
      await finishAll();
      const { session: waiting } = await on.sessions.create(request({ waitMs: 60_000 }));
      // It cannot go there, and keeps nobody out.
      await on.sessions.create(request({ waitMs: 60_000, region: 'nowhere' }));
      await on.sessions.stop(first.id);
      await finishAll();
      await assert.rejects(on.sessions.create(request()), /its room is for sessions that wait already/);
      await on.sessions.stop(second.id);
      await finishAll();
      assert.ok((await on.sessions.create(request())).created);
      await on.sessions.placeWaiting();
      assert.equal((await on.sessions.find(waiting.id))?.agentId, agent.agentId);
    });

    it('comes to a session however many wait before it in vain', async () => {
      const { on, agent, user, request } = await setUp({ maxSessions: 1 });
      const name = `vain-${agent.agentId}`;
      // As many of one kind as of kinds of their own.
      await on.database.query(
        `insert into sessions (id, user_id, template, manifest, state, desired_state, platform, request_hash,
                               placement, wait_until, created_at)
         select $1 || '-' || n, $2::uuid, 'x', '{}', 'pending', 'running', 'any', '\\x00',
                case when n % 2 = 0 then '{"platform": "none"}'
                     else jsonb_build_object('platform', 'none', 'region', n::text) end,
                now() + interval '1 hour', now() - interval '1 minute'
           from generate_series(1, 500) n`,
        [name, user.id],
      );
      const { session: blocking } = await on.sessions.create(request());
      const { session: last } = await on.sessions.create(request({ waitMs: 60_000 }));
      await on.sessions.stop(blocking.id);
      const rounds: string[][] = [];
      while (!rounds.flat().includes(last.id) && rounds.length < 3)
        rounds.push((await on.sessions.placeWaiting()).map(({ id }) => id));
      await on.database.query(`delete from sessions where starts_with(id, $1)`, [name]);
      assert.ok(rounds.flat().includes(last.id), `not in ${rounds.length} rounds`);
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
