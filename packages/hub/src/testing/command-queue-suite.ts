import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { CommandQueue, NewCommand } from '../ports.js';
import { driveCommandCells } from './command-cells.js';
import type { TestRunner } from './runner.js';

export interface CommandQueueFixture {
  queue: CommandQueue;
  /** Makes an agent and its first epoch known, where the queue's store wants to know them. */
  addAgent(agentId: string): Promise<{ epoch: number }>;
  /** The agent has connected anew. */
  nextEpoch(agentId: string): Promise<{ epoch: number }>;
  /** Makes a session known, where the queue's store wants to know it. */
  addSession(sessionId: string, agentId: string): Promise<void>;
  /** How often the queue hands a command out at most. */
  maxAttempts: number;
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
    it('does what the table of command-machine.ts says, in every cell', async () => {
      await driveCommandCells(await open());
    });

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
      const next = make(sessionId, { action: 'hibernate_session' });
      const { seq } = await queue.enqueue(start);
      assert.equal((await queue.enqueue(next)).seq, seq + 1);
      assert.deepEqual(
        (await queue.claim(agentId, epoch, 10)).map((command) => command.commandId),
        [start.commandId],
      );
      assert.deepEqual(await queue.claim(agentId, epoch, 10), []);
      assert.equal(await queue.finish(start.commandId, agentId, { state: 'completed' }), true);
      assert.deepEqual(
        (await queue.claim(agentId, epoch, 10)).map((command) => command.commandId),
        [next.commandId],
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

    it('undoes a start that was sent and not finished in time, and one that was not sent needs no undoing', async () => {
      const { queue, agentId, epoch, make, session } = await setUp();
      const now = Date.now();
      const sent = make(await session(), { deadline: now + 1_000 });
      await queue.enqueue(sent);
      assert.equal((await queue.claim(agentId, epoch, 10)).length, 1);
      await queue.enqueue(make(await session(), { deadline: now + 1_000 }));
      await queue.expire(now + 2_000);
      const [stop, ...more] = await queue.claim(agentId, epoch, 10);
      assert.equal(more.length, 0);
      assert.equal(stop?.action, 'stop_session');
      assert.equal(stop.sessionId, sent.sessionId);
      assert.equal(stop.generation, sent.generation);
    });

    it('undoes a wake that was sent and not finished in time by hibernating, unless a stop follows', async () => {
      const { queue, agentId, epoch, make, session } = await setUp();
      const now = Date.now();
      const wake = { action: 'wake_session', deadline: now + 1_000 } as const;
      const woken = make(await session(), wake);
      await queue.enqueue(woken);
      const stopped = make(await session(), wake);
      await queue.enqueue(stopped);
      assert.equal((await queue.claim(agentId, epoch, 10)).length, 2);
      await queue.enqueue(make(stopped.sessionId, { action: 'stop_session' }));
      await queue.enqueue(make(await session(), wake));
      await queue.expire(now + 2_000);
      const next = await queue.claim(agentId, epoch, 10);
      const told = new Map(next.map((command) => [command.sessionId, command]));
      assert.equal(next.length, 2);
      assert.equal(told.get(woken.sessionId)?.action, 'hibernate_session');
      assert.equal(told.get(woken.sessionId)?.generation, woken.generation);
      const stop = told.get(stopped.sessionId)!;
      assert.equal(stop.action, 'stop_session');
      await queue.finish(stop.commandId, agentId, { state: 'completed' });
      assert.deepEqual(await queue.claim(agentId, epoch, 10), []);
    });

    it('hands out again what was recalled, and leaves alone what is held', async () => {
      const { queue, agentId, epoch, make, session, nextEpoch } = await setUp();
      const [held, lost, acknowledged, ended] = [
        make(await session()),
        make(await session()),
        make(await session()),
        make(await session()),
      ];
      for (const command of [held, lost, acknowledged, ended]) await queue.enqueue(command);
      await queue.claim(agentId, epoch, 10);
      await queue.acknowledge(acknowledged.commandId, agentId, epoch);
      await queue.finish(ended.commandId, agentId, { state: 'completed' }, epoch);
      await queue.recall(agentId, epoch, [held.commandId, acknowledged.commandId]);
      assert.deepEqual(await queue.waiting([{ agentId, epoch }]), [agentId]);
      const again = await queue.claim(agentId, epoch, 10);
      assert.deepEqual(
        again.map(({ commandId, attempts, state }) => ({ commandId, attempts, state })),
        [{ commandId: lost.commandId, attempts: 2, state: 'sent' }],
      );
      assert.deepEqual(await queue.waiting([{ agentId, epoch }]), []);
      const { epoch: newer } = await nextEpoch(agentId);
      assert.equal((await queue.claim(agentId, newer, 10)).length, 3);
      await queue.recall(agentId, epoch, []);
      assert.deepEqual(await queue.claim(agentId, newer, 10), []);
    });

    it('puts a stop behind a start and a wake that were recalled: the agent may have them all the same', async () => {
      const { queue, agentId, epoch, make, session } = await setUp();
      const begun = [make(await session()), make(await session(), { action: 'wake_session' })];
      for (const command of begun) await queue.enqueue(command);
      await queue.claim(agentId, epoch, 10);
      await queue.recall(agentId, epoch, []);
      for (const { sessionId } of begun) await queue.enqueue(make(sessionId, { action: 'stop_session' }));
      const again = await queue.claim(agentId, epoch, 10);
      assert.deepEqual(
        again.map(({ commandId }) => commandId).sort(),
        begun.map(({ commandId }) => commandId).sort(),
      );
      for (const { commandId } of again) await queue.finish(commandId, agentId, { state: 'completed' });
      const stops = await queue.claim(agentId, epoch, 10);
      assert.deepEqual(
        stops.map(({ action }) => action),
        ['stop_session', 'stop_session'],
      );
    });

    it('undoes what was recalled and then given up', async () => {
      const { queue, agentId, epoch, make, session } = await setUp();
      await queue.enqueue(make(await session()));
      await queue.claim(agentId, epoch, 10);
      await queue.recall(agentId, epoch, []);
      await queue.expire(Date.now() + 86_400_000);
      const [stop] = await queue.claim(agentId, epoch, 10);
      assert.equal(stop?.action, 'stop_session');
    });

    it('names the agents that something waits for', async () => {
      const { queue, agentId, epoch, make, session, nextEpoch } = await setUp();
      const ask = async (at: number): Promise<boolean> =>
        (
          await queue.waiting([
            { agentId, epoch: at },
            { agentId: 'nobody', epoch: 1 },
          ])
        ).includes(agentId);
      assert.equal(await ask(epoch), false);
      const sessionId = await session();
      await queue.enqueue(make(sessionId));
      assert.equal(await ask(epoch), true);
      const [start] = await queue.claim(agentId, epoch, 10);
      await queue.enqueue(make(sessionId, { action: 'hibernate_session' }));
      assert.equal(await ask(epoch), false);
      const next = await nextEpoch(agentId);
      assert.equal(await ask(next.epoch), true);
      await queue.claim(agentId, next.epoch, 10);
      assert.equal(await ask(epoch), false);
      await queue.finish(start!.commandId, agentId, { state: 'completed' });
      assert.equal(await ask(next.epoch), true);
      assert.deepEqual(await queue.waiting([]), []);
    });

    it('lets an agent that has connected anew go on with what it is at, which is not another attempt', async () => {
      const { queue, agentId, epoch, make, session, nextEpoch } = await setUp();
      const [running, ended, lost] = [make(await session()), make(await session()), make(await session())];
      for (const command of [running, ended, lost]) await queue.enqueue(command);
      await queue.claim(agentId, epoch, 10);
      await queue.finish(ended.commandId, agentId, { state: 'completed' });
      const { epoch: newer } = await nextEpoch(agentId);
      const ids = [running.commandId, ended.commandId, 'unknown'];
      assert.deepEqual(await queue.resume(agentId, newer, ids), [running.commandId]);
      assert.deepEqual(
        (await queue.claim(agentId, newer, 10)).map(({ commandId }) => commandId),
        [lost.commandId],
      );
      const { epoch: newest } = await nextEpoch(agentId);
      const again = await queue.claim(agentId, newest, 10);
      const attempts = new Map(again.map((command) => [command.commandId, command.attempts]));
      assert.equal(attempts.get(running.commandId), 2);
      assert.equal(attempts.get(lost.commandId), 3);
      assert.deepEqual(await queue.resume(agentId, newer, [running.commandId]), []);
    });

    it('gives a command up that was handed out as often as it may be, and undoes it', async () => {
      const { queue, agentId, epoch, make, session, nextEpoch, maxAttempts } = await setUp();
      const command = make(await session());
      await queue.enqueue(command);
      let at = epoch;
      for (let attempt = 1; attempt <= maxAttempts; attempt++) {
        const [claimed] = await queue.claim(agentId, at, 10);
        assert.equal(claimed?.attempts, attempt);
        at = (await nextEpoch(agentId)).epoch;
      }
      assert.deepEqual(await queue.claim(agentId, at, 10), []);
      assert.equal(await queue.finish(command.commandId, agentId, { state: 'completed' }), false);
      const [stop] = await queue.claim(agentId, at, 10);
      assert.equal(stop?.action, 'stop_session');
    });

    it('takes back a start that nobody was sent when its session is to stop', async () => {
      const { queue, agentId, epoch, make, session } = await setUp();
      const sessionId = await session();
      const start = make(sessionId);
      const stop = make(sessionId, { action: 'stop_session' });
      await queue.enqueue(start);
      await queue.enqueue(stop);
      assert.deepEqual(
        (await queue.claim(agentId, epoch, 10)).map(({ commandId }) => commandId),
        [stop.commandId],
      );
      assert.equal(await queue.finish(start.commandId, agentId, { state: 'completed' }), false);
    });

    it('does not take back a start that was sent', async () => {
      const { queue, agentId, epoch, make, session } = await setUp();
      const sessionId = await session();
      const start = make(sessionId);
      await queue.enqueue(start);
      await queue.claim(agentId, epoch, 10);
      await queue.enqueue(make(sessionId, { action: 'stop_session' }));
      assert.deepEqual(await queue.claim(agentId, epoch, 10), []);
      assert.equal(await queue.finish(start.commandId, agentId, { state: 'completed' }), true);
      assert.equal((await queue.claim(agentId, epoch, 10)).length, 1);
    });

    it('drops what a connection says that was replaced, with an error that says so', async () => {
      const { queue, agentId, epoch, make, session, nextEpoch } = await setUp();
      const command = make(await session());
      await queue.enqueue(command);
      await queue.claim(agentId, epoch, 10);
      const { epoch: newer } = await nextEpoch(agentId);
      await queue.claim(agentId, newer, 10);
      const stale = { code: 'stale_epoch', shouldRetry: false };
      await assert.rejects(queue.acknowledge(command.commandId, agentId, epoch), stale);
      const failed = { state: 'failed', error: 'late' } as const;
      await assert.rejects(queue.finish(command.commandId, agentId, failed, epoch), stale);
      assert.equal(await queue.finish(command.commandId, agentId, { state: 'completed' }, newer), true);
    });

    it('keeps one of many outcomes, whatever else is said at the same time', async () => {
      const { queue, agentId, epoch, make, session } = await setUp();
      const commands = await Promise.all(
        Array.from({ length: 40 }, async () => queue.enqueue(make(await session()))),
      );
      assert.equal((await queue.claim(agentId, epoch, 100)).length, 40);
      const first = await Promise.all(
        commands.map(async ({ commandId }) => {
          const said = [
            queue.acknowledge(commandId, agentId, epoch),
            queue.finish(commandId, agentId, { state: 'completed' }, epoch),
            queue.finish(commandId, agentId, { state: 'failed', error: 'no' }, epoch),
            queue.acknowledge(commandId, agentId, epoch),
          ];
          return (await Promise.all(said)).filter((isFirst) => isFirst === true).length;
        }),
      );
      assert.deepEqual(new Set(first), new Set([1]));
      assert.deepEqual(await queue.claim(agentId, epoch, 100), []);
    });

    it('numbers the commands of a session without a gap, however many come at once', async () => {
      const { queue, make, session } = await setUp();
      const sessionId = await session();
      const { seq } = await queue.enqueue(make(sessionId));
      const more = await Promise.all(
        Array.from({ length: 10 }, () => queue.enqueue(make(sessionId, { action: 'hibernate_session' }))),
      );
      assert.deepEqual(
        more.map((command) => command.seq),
        Array.from({ length: 10 }, (_, at) => seq + 1 + at),
      );
    });
  });
}
