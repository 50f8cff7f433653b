import { describe, expect, it, vi } from 'vitest';
import { Dispatcher, type DispatcherOptions } from '../src/dispatcher.js';
import { memoryCommandQueue } from '../src/memory/command-queue.js';
import { LOST_AFTER_MS, type CommandQueue, type NewCommand } from '../src/ports.js';

const command = (commandId: string): NewCommand => ({
  commandId,
  agentId: 'a',
  sessionId: `session-of-${commandId}`,
  generation: 1,
  action: 'start_session',
  payload: {},
  deadline: Date.now() + 600_000,
});

function setUp(commands: CommandQueue) {
  const sent: string[] = [];
  const errors: string[] = [];
  const options: DispatcherOptions = {
    agentId: 'a',
    epoch: 1,
    resumed: [],
    commands,
    window: 4,
    ackTimeoutMs: 10_000,
    send: ({ commandId }) => sent.push(commandId),
    isBehind: () => false,
    onSilence: () => undefined,
    onError: (error) => errors.push((error as Error).message),
  };
  return { dispatcher: new Dispatcher(options), sent, errors };
}

/** Claims take effect, and the first so many answers are lost. */
function losing(queue: CommandQueue, answers: number): CommandQueue {
  let left = answers;
  return {
    ...Object.fromEntries(
      (['enqueue', 'recall', 'waiting', 'resume', 'acknowledge', 'finish', 'expire'] as const).map((name) => [
        name,
        (queue[name] as (...args: unknown[]) => unknown).bind(queue),
      ]),
    ),
    async claim(...args: Parameters<CommandQueue['claim']>) {
      const claimed = await queue.claim(...args);
      if (left-- > 0) throw new Error('the connection broke');
      return claimed;
    },
  } as CommandQueue;
}

describe('a dispatcher', () => {
  it('sends what a claim handed out whose answer was lost, once, and nothing of what it holds', async () => {
    const queue = memoryCommandQueue();
    await queue.enqueue(command('one'));
    const { dispatcher, sent, errors } = setUp(losing(queue, 1));
    await dispatcher.pump();
    expect([sent, errors, dispatcher.unsure]).toEqual([[], ['the connection broke'], true]);
    await queue.enqueue(command('two'));
    await dispatcher.pump();
    expect(sent.sort()).toEqual(['one', 'two']);
    expect(dispatcher.unsure).toBe(false);
    await dispatcher.pump(true);
    expect(sent).toHaveLength(2);
    dispatcher.close();
  });

  it('looks for what was lost when the queue says that there is something and then hands out nothing', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'performance'] });
    try {
      const queue = memoryCommandQueue();
      await queue.enqueue(command('one'));
      // As a statement does that is carried out after its caller has given up.
      await queue.claim('a', 1, 1);
      expect(await queue.waiting([{ agentId: 'a', epoch: 1 }])).toEqual([]);
      vi.setSystemTime(Date.now() + LOST_AFTER_MS + 1);
      expect(await queue.waiting([{ agentId: 'a', epoch: 1 }])).toEqual(['a']);
      const { dispatcher, sent } = setUp(queue);
      await dispatcher.pump(true);
      expect(sent).toEqual(['one']);
      await queue.acknowledge('one', 'a', 1);
      vi.setSystemTime(Date.now() + LOST_AFTER_MS + 1);
      expect(await queue.waiting([{ agentId: 'a', epoch: 1 }])).toEqual([]);
      dispatcher.close();
    } finally {
      vi.useRealTimers();
    }
  });

  it('finds what was lost also while there is always other work, and looks for it once in a while', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'performance'] });
    try {
      const queue = memoryCommandQueue();
      const recall = vi.spyOn(queue, 'recall');
      const { dispatcher, sent } = setUp(queue);
      const sweep = async (other: string): Promise<void> => {
        await queue.enqueue(command(other));
        expect(await queue.waiting([{ agentId: 'a', epoch: 1 }])).toEqual(['a']);
        await dispatcher.pump(true);
        expect(sent).toContain(other);
        await queue.finish(other, 'a', { state: 'completed' });
        dispatcher.done(other);
      };
      await sweep('first');
      await queue.enqueue(command('lost'));
      await queue.claim('a', 1, 1);
      for (let round = 0; round < 10; round++) await sweep(`other ${round}`);
      expect(recall).toHaveBeenCalledTimes(1);
      expect(sent).not.toContain('lost');
      vi.advanceTimersByTime(LOST_AFTER_MS + 1);
      await sweep('last');
      expect(sent.filter((commandId) => commandId === 'lost')).toHaveLength(1);
      expect(recall).toHaveBeenCalledTimes(2);
      dispatcher.close();
    } finally {
      vi.useRealTimers();
    }
  });
});
