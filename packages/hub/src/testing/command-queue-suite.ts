import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { CommandQueue, NewCommand } from '../ports.js';
import type { TestRunner } from './runner.js';

export interface CommandQueueFixture {
  queue: CommandQueue;
  /** Makes an agent and its first epoch known, where the queue's store wants to know them. */
  addAgent(agentId: string): Promise<{ epoch: number }>;
  /** The agent has connected anew. */
  nextEpoch(agentId: string): Promise<{ epoch: number }>;
  /** Makes a session known, where the queue's store wants to know it. */
  addSession(sessionId: string, agentId: string): Promise<void>;
}

/** What every `CommandQueue` has to do. `open` gives a fixture; agents and sessions have fresh names each time. */
export function commandQueueSuite(
  { describe, it }: TestRunner,
  open: () => Promise<CommandQueueFixture>,
): void {
  const setUp = async () => {
    const fixture = await open();
    const agentId = `agent-${randomUUID().slice(0, 8)}`;
    const { epoch } = await fixture.addAgent(agentId);
    const session = async (): Promise<string> => {
      const sessionId = `s-${randomUUID().slice(0, 8)}`;
      await fixture.addSession(sessionId, agentId);
      return sessionId;
    };
    const make = (sessionId: string, more: Partial<NewCommand> = {}): NewCommand => ({
      commandId: randomUUID(),
      agentId,
      sessionId,
      generation: 1,
      action: 'start_session',
      payload: { user: 'someone' },
      deadline: Date.now() + 60_000,
      ...more,
    });
    return { ...fixture, agentId, epoch, session, make };
  };

  describe('a command queue', () => {
    it('hands a new command out once per epoch, as sent, with its payload', async () => {
      const { queue, agentId, epoch, make, session } = await setUp();
      const command = make(await session());
      await queue.enqueue(command);
      const [claimed, ...more] = await queue.claim(agentId, epoch, 10);
      assert.equal(more.length, 0);
      assert.equal(claimed?.commandId, command.commandId);
      assert.equal(claimed.state, 'sent');
      assert.equal(claimed.attempts, 1);
      assert.deepEqual(claimed.payload, { user: 'someone' });
      assert.deepEqual(await queue.claim(agentId, epoch, 10), []);
    });

    it('takes a command with a known id once', async () => {
      const { queue, agentId, epoch, make, session } = await setUp();
      const command = make(await session());
      const first = await queue.enqueue(command);
      const second = await queue.enqueue(command);
      assert.equal(second.seq, first.seq);
      assert.equal((await queue.claim(agentId, epoch, 10)).length, 1);
    });

    it('has one command of a session out at a time, in order', async () => {
      const { queue, agentId, epoch, make, session } = await setUp();
      const sessionId = await session();
      const start = make(sessionId);
      const stop = make(sessionId, { action: 'stop_session' });
      const { seq } = await queue.enqueue(start);
      assert.equal((await queue.enqueue(stop)).seq, seq + 1);
      assert.deepEqual(
        (await queue.claim(agentId, epoch, 10)).map((command) => command.commandId),
        [start.commandId],
      );
      assert.deepEqual(await queue.claim(agentId, epoch, 10), []);
      assert.equal(await queue.finish(start.commandId, agentId, { state: 'completed' }), true);
      assert.deepEqual(
        (await queue.claim(agentId, epoch, 10)).map((command) => command.commandId),
        [stop.commandId],
      );
    });

    it('hands out sessions side by side, up to the limit', async () => {
      const { queue, agentId, epoch, make, session } = await setUp();
      for (let i = 0; i < 3; i++) await queue.enqueue(make(await session()));
      assert.equal((await queue.claim(agentId, epoch, 2)).length, 2);
      assert.equal((await queue.claim(agentId, epoch, 2)).length, 1);
    });

    it('hands a command without an outcome out again under the next epoch', async () => {
      const { queue, agentId, epoch, make, session, nextEpoch } = await setUp();
      const command = make(await session());
      await queue.enqueue(command);
      await queue.claim(agentId, epoch, 10);
      await queue.acknowledge(command.commandId, agentId);
      const next = await nextEpoch(agentId);
      const [again] = await queue.claim(agentId, next.epoch, 10);
      assert.equal(again?.commandId, command.commandId);
      assert.equal(again.attempts, 2);
      assert.equal(again.state, 'ack');
    });

    it('hands nothing out to an older epoch', async () => {
      const { queue, agentId, epoch, make, session, nextEpoch } = await setUp();
      const { epoch: newer } = await nextEpoch(agentId);
      await queue.claim(agentId, newer, 10);
      await queue.enqueue(make(await session()));
      assert.deepEqual(await queue.claim(agentId, epoch, 10), []);
      assert.equal((await queue.claim(agentId, newer, 10)).length, 1);
    });

    it('keeps the first outcome', async () => {
      const { queue, agentId, epoch, make, session } = await setUp();
      const command = make(await session());
      await queue.enqueue(command);
      await queue.claim(agentId, epoch, 10);
      assert.equal(await queue.finish(command.commandId, agentId, { state: 'completed' }), true);
      assert.equal(await queue.finish(command.commandId, agentId, { state: 'failed', error: 'late' }), false);
      await queue.acknowledge(command.commandId, agentId);
      assert.deepEqual(await queue.claim(agentId, epoch, 10), []);
    });

    it('ignores outcomes of another agent and of unknown commands', async () => {
      const { queue, agentId, epoch, make, session } = await setUp();
      const command = make(await session());
      await queue.enqueue(command);
      await queue.claim(agentId, epoch, 10);
      assert.equal(await queue.finish(command.commandId, 'somebody-else', { state: 'completed' }), false);
      assert.equal(await queue.finish(randomUUID(), agentId, { state: 'completed' }), false);
      assert.equal(await queue.finish(command.commandId, agentId, { state: 'completed' }), true);
    });

    it('fails what is past its deadline, once', async () => {
      const { queue, agentId, epoch, make, session } = await setUp();
      const now = Date.now();
      const late = make(await session(), { deadline: now - 1_000 });
      await queue.enqueue(late);
      await queue.enqueue(make(await session()));
      const mine = (commands: { commandId: string }[]): string[] =>
        commands.map(({ commandId }) => commandId).filter((id) => id === late.commandId);
      assert.deepEqual(mine(await queue.expire(now)), [late.commandId]);
      assert.deepEqual(mine(await queue.expire(now)), []);
      assert.equal(await queue.finish(late.commandId, agentId, { state: 'completed' }), false);
      assert.equal((await queue.claim(agentId, epoch, 10)).length, 1);
    });
  });
}
