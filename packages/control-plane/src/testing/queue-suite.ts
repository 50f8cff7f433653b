import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { NewCommand } from '@streamspace/hub';
import type { TestRunner } from '@streamspace/hub/testing';
import type { Fixtures } from './fixtures.js';

/** What the database adds to what every command queue has to do: sessions change with their commands. */
export function queueInDatabaseSuite({ describe, it }: TestRunner, fixtures: () => Promise<Fixtures>): void {
  const setUp = async () => {
    const on = await fixtures();
    const user = await on.addUser();
    const agent = await on.addAgent();
    const request = () => on.request({ userId: user.id, platform: agent.platform });
    const claim = (epoch = agent.epoch) => on.commands.claim(agent.agentId, epoch, 100);
    const stop = (sessionId: string): NewCommand => ({
      commandId: randomUUID(),
      agentId: agent.agentId,
      sessionId,
      generation: 1,
      action: 'stop_session',
      payload: {},
      deadline: Date.now() + 60_000,
    });
    return { on, user, agent, request, claim, stop };
  };

  describe('a command queue in the database', () => {
    it('refuses a command for a session that is not there, and takes those beside it', async () => {
      const { on, request, stop } = await setUp();
      const { id } = await on.createSession(request());
      const settled = await Promise.allSettled([
        on.commands.enqueue(stop(`missing-${randomUUID().slice(0, 8)}`)),
        on.commands.enqueue(stop(id)),
        on.commands.enqueue({ ...stop(id), agentId: 'nobody' }),
      ]);
      assert.deepEqual(
        settled.map(({ status }) => status),
        ['rejected', 'fulfilled', 'rejected'],
      );
      for (const result of settled)
        if (result.status === 'rejected')
          assert.equal((result.reason as { code?: unknown }).code, 'session_not_found');
    });

    it('refuses a command that cannot be written, and takes those beside it', async () => {
      const { on, request, stop } = await setUp();
      const sessions = [];
      for (let i = 0; i < 4; i++) sessions.push(await on.createSession(request()));
      const commands = sessions.map(({ id }) => stop(id));
      const bad = { ...commands[2]!, deadline: NaN };
      const settled = await Promise.allSettled(
        [commands[0]!, commands[1]!, bad, commands[3]!].map((command) => on.commands.enqueue(command)),
      );
      assert.deepEqual(
        settled.map(({ status }) => status),
        ['fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
      );
    });

    it('stores an outcome whose facts no database can hold as they are', async () => {
      const { on, agent, request, claim } = await setUp();
      const { id } = await on.createSession(request());
      const [start] = await claim();
      const result = { platformMetadata: { 'label\0x': 1, nested: [{ 'half \ud800': '\0' }] } };
      assert.equal(
        await on.commands.finish(start!.commandId, agent.agentId, { state: 'completed', result }),
        true,
      );
      const { rows } = await on.database.query(
        'select platform_metadata as kept from sessions where id = $1',
        [id],
      );
      assert.deepEqual(rows, [{ kept: { 'label\ufffdx': 1, nested: [{ 'half \ufffd': '\ufffd' }] } }]);
    });

    it('leaves a session alone whose start is taken back', async () => {
      const { on, request, claim, stop } = await setUp();
      const { id } = await on.createSession(request());
      await on.commands.enqueue(stop(id));
      const session = await on.sessions.find(id);
      assert.equal(session?.state, 'pending');
      assert.equal(session.error, null);
      assert.equal((await claim()).length, 1);
    });

    it('names an agent that has not acknowledged for long what was handed out, also a second time', async () => {
      const { on, agent, request, claim } = await setUp();
      await on.createSession(request());
      const [start] = await claim();
      const waits = async (epoch: number): Promise<boolean> =>
        (await on.commands.waiting([{ agentId: agent.agentId, epoch }])).length > 0;
      const age = () =>
        on.database.query(
          `update agent_commands set sent_at = sent_at - interval '1 minute', acked_at = acked_at - interval '1 minute'
            where command_id = $1`,
          [start!.commandId],
        );
      assert.equal(await waits(agent.epoch), false);
      await age();
      assert.equal(await waits(agent.epoch), true);
      await on.commands.acknowledge(start!.commandId, agent.agentId, agent.epoch);
      assert.equal(await waits(agent.epoch), false);

      const { rows } = await on.database.query<{ epoch: number }>(
        'update agents set epoch = epoch + 1 where agent_id = $1 returning epoch',
        [agent.agentId],
      );
      const { epoch } = rows[0]!;
      assert.equal((await claim(epoch)).length, 1);
      assert.equal(await waits(epoch), false);
      await age();
      assert.equal(await waits(epoch), true);
      await on.commands.recall(agent.agentId, epoch, []);
      assert.equal((await claim(epoch)).length, 1);
      await on.commands.acknowledge(start!.commandId, agent.agentId, epoch);
      await age();
      assert.equal(await waits(epoch), false);
    });

    it('fails a session whose start was sent as often as it may be, and has it stopped', async () => {
      const { on, agent, request, claim } = await setUp();
      const { id } = await on.createSession(request());
      const [start] = await claim();
      await on.database.query('update agent_commands set retry_count = 10 where command_id = $1', [
        start!.commandId,
      ]);
      const epoch = await on.reconnect(agent);
      assert.deepEqual(await claim(epoch), []);
      const session = await on.sessions.find(id);
      assert.equal(session?.state, 'failed');
      assert.equal(session.error?.code, 'attempts_exhausted');
      const [stop] = await claim(epoch);
      assert.equal(stop?.action, 'stop_session');
    });

    it('lets no outcome overtake a command that is enqueued at the same time', async () => {
      const { on, agent, request, claim } = await setUp();
      const ids: string[] = [];
      for (let i = 0; i < 8; i++) ids.push((await on.createSession(request())).id);
      const starts = await claim();
      assert.equal(starts.length, 8);
      await Promise.all([
        ...starts.map(({ commandId }) =>
          on.commands.finish(commandId, agent.agentId, { state: 'completed' }, agent.epoch),
        ),
        ...ids.map((id) => on.sessions.stop(id)),
      ]);
      for (const id of ids) assert.equal((await on.sessions.find(id))?.state, 'terminating');
      for (const { commandId, action } of await claim()) {
        assert.equal(action, 'stop_session');
        await on.commands.finish(commandId, agent.agentId, { state: 'completed' }, agent.epoch);
      }
      for (const id of ids) assert.equal((await on.sessions.find(id))?.state, 'terminated');
    });

    it('takes many commands, acknowledgements and outcomes at once, each once', async () => {
      const { on, agent, request, claim } = await setUp();
      const first = await on.createSession(request());
      const ids = Array.from({ length: 60 }, () => `s-${randomUUID().slice(0, 8)}`);
      await on.database.query(
        `insert into sessions (id, user_id, template, manifest, state, desired_state, platform, agent_id, request_hash)
         select n, user_id, template, manifest, state, desired_state, platform, agent_id, request_hash
           from sessions, json_array_elements_text($2::json) n where id = $1`,
        [first.id, JSON.stringify(ids)],
      );
      await Promise.all(
        ids.map((sessionId) =>
          on.commands.enqueue({
            commandId: randomUUID(),
            agentId: agent.agentId,
            sessionId,
            generation: 1,
            action: 'start_session',
            payload: {},
            deadline: Date.now() + 60_000,
          }),
        ),
      );
      const claimed = await claim();
      assert.equal(claimed.length, 61);
      const finished = await Promise.all(
        claimed.flatMap(({ commandId }) => [
          on.commands.acknowledge(commandId, agent.agentId, agent.epoch).then(() => false),
          on.commands.finish(commandId, agent.agentId, { state: 'completed' }, agent.epoch),
        ]),
      );
      assert.equal(finished.filter(Boolean).length, 61);
      const { rows } = await on.database.query<{ state: string; sessions: number }>(
        `select state, count(*)::int as sessions from sessions
          where id in (select json_array_elements_text($1::json)) group by state`,
        [JSON.stringify(ids)],
      );
      assert.deepEqual(rows, [{ state: 'running', sessions: 60 }]);
    });
  });
}
