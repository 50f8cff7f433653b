import { describe, expect, it } from 'vitest';
import { checkGeneration, checkSessionId, sessionTurns } from '../src/index.js';

const never = new AbortController().signal;

describe('checkSessionId', () => {
  it.each(['a', '0', 'desk-1', 'x'.repeat(63)])('takes %j', (id) => {
    expect(() => checkSessionId(id)).not.toThrow();
  });

  it.each(['', 'A', '-a', 'a-', 'a.b', 'a/b', '..', 'a\n', 'x'.repeat(64)])('refuses %j', (id) => {
    expect(() => checkSessionId(id)).toThrow('must be a DNS label');
  });
});

describe('checkGeneration', () => {
  const held = { sessionId: 'one', generation: 3 };

  it('takes the same generation, a higher one, and any where nothing is held', () => {
    checkGeneration(held, { generation: 3 });
    checkGeneration(held, { generation: 4 });
    checkGeneration(undefined, { generation: 0 });
  });

  it('refuses a lower one, and names both', () => {
    expect(() => checkGeneration(held, { generation: 2 })).toThrow(
      expect.objectContaining({ code: 'stale_generation', shouldRetry: false }),
    );
    expect(() => checkGeneration(held, { generation: 2 })).toThrow('one is at generation 3; 2 is older');
  });
});

describe('turns', () => {
  const gate = (): { opened: Promise<void>; open: () => void } => {
    let open!: () => void;
    return { opened: new Promise((resolve) => (open = resolve)), open };
  };

  it('follow each other in a session, and run side by side in several', async () => {
    const turns = sessionTurns();
    const { opened, open } = gate();
    const done: string[] = [];
    const first = turns.run('one', never, async () => opened.then(() => void done.push('first')));
    const second = turns.run('one', never, async () => void done.push('second'));
    await turns.run('other', never, async () => void done.push('other'));
    open();
    await Promise.all([first, second]);
    expect(done).toEqual(['other', 'first', 'second']);
  });

  it('go on after one that failed', async () => {
    const turns = sessionTurns();
    const failed = turns.run('one', never, () => Promise.reject(new Error('no')));
    const next = turns.run('one', never, async () => 'yes');
    await expect(failed).rejects.toThrow('no');
    expect(await next).toBe('yes');
  });

  it('let a call give up waiting at once, and no other overtake the one it waited for', async () => {
    const turns = sessionTurns();
    const { opened, open } = gate();
    const done: string[] = [];
    const first = turns.run('one', never, async () => opened.then(() => void done.push('first')));
    const controller = new AbortController();
    const second = turns.run('one', controller.signal, async () => void done.push('second'));
    controller.abort(new Error('enough'));
    await expect(second).rejects.toThrow('enough');
    const third = turns.run('one', never, async () => void done.push('third'));
    open();
    await Promise.all([first, third]);
    expect(done).toEqual(['first', 'third']);
  });

  it('refuse more calls than may wait for a session, and take them again later', async () => {
    const turns = sessionTurns();
    const { opened, open } = gate();
    const waiting = Array.from({ length: 1_000 }, () =>
      turns.run('one', new AbortController().signal, () => opened),
    );
    await expect(turns.run('one', never, () => opened)).rejects.toMatchObject({
      code: 'platform_unavailable',
      shouldRetry: true,
    });
    open();
    await Promise.all(waiting);
    await turns.run('one', never, () => opened);
  });
});
