import type { AgentMessage } from '@streamspace/protocol';
import { describe, expect, it } from 'vitest';
import { BACKLOG, Inbox } from '../src/inbox.js';

/** An inbox of texts of which the first word is the type; each message is held until it is let go. */
function holding() {
  const events: string[] = [];
  const overflows: string[] = [];
  const release: (() => void)[] = [];
  const inbox = new Inbox({
    read(source) {
      const type = source.trimEnd();
      events.push(`read ${type}`);
      return type === 'unreadable' ? undefined : ({ type, payload: {} } as AgentMessage);
    },
    handle: ({ type }) =>
      new Promise((resolve) => {
        events.push(`handle ${type}`);
        release.push(resolve);
      }),
    onOverflow: (detail) => overflows.push(detail),
  });
  /** Lets the oldest go, and what it leads to happen. */
  const next = async (): Promise<void> => {
    release.shift()?.();
    await settle();
  };
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  return { inbox, events, overflows, next, settle };
}

const text = (type: string, chars: number): string => type.padEnd(chars);

describe('an inbox', () => {
  it('reads a message when its turn has come, and not while it waits', async () => {
    const { inbox, events, next, settle } = holding();
    for (const source of ['status', 'unreadable', 'inventory']) inbox.push(source);
    await settle();
    expect(events).toEqual(['read status', 'handle status']);
    await next();
    expect(events.slice(2)).toEqual(['read unreadable', 'read inventory', 'handle inventory']);
    await next();
    await inbox.settled();
  });

  it('goes on while what is said of commands is dealt with, and is settled when that is over', async () => {
    const { inbox, events, next, settle } = holding();
    for (const source of ['ack', 'complete', 'status', 'inventory']) inbox.push(source);
    await settle();
    expect(events.filter((event) => event.startsWith('handle'))).toEqual([
      'handle ack',
      'handle complete',
      'handle status',
    ]);
    let settled = false;
    const all = inbox.settled().then(() => (settled = true));
    for (let i = 0; i < 3; i++) await next();
    expect(settled).toBe(false);
    await next();
    await all;
  });

  it('takes no more characters than its bound, and nothing after a message that it did not take', async () => {
    const { inbox, events, overflows, next, settle } = holding();
    inbox.push(text('status', BACKLOG.chars - 10));
    inbox.push(text('ack', 10));
    expect(overflows).toEqual([]);
    inbox.push('x');
    inbox.push('y');
    expect(overflows).toEqual([`more than ${BACKLOG.chars} characters of control messages are waiting`]);
    await settle();
    await next();
    inbox.push('status');
    await next();
    await inbox.settled();
    expect(events).toEqual(['read status', 'handle status', 'read ack', 'handle ack']);
    expect(overflows).toHaveLength(1);
  });

  it('counts no characters of what has been dealt with', async () => {
    const { inbox, overflows, next, settle } = holding();
    for (let i = 0; i < 5; i++) {
      inbox.push(text('status', BACKLOG.chars));
      await settle();
      await next();
    }
    inbox.push(text('unreadable', BACKLOG.chars));
    await settle();
    inbox.push(text('status', BACKLOG.chars));
    await settle();
    expect(overflows).toEqual([]);
  });

  it('takes one message alone, however long it is', async () => {
    const { inbox, overflows, events, settle } = holding();
    inbox.push(text('status', BACKLOG.chars + 1));
    await settle();
    expect([overflows, events]).toEqual([[], ['read status', 'handle status']]);
  });

  it('lets the event loop have its turn between long messages', async () => {
    const { inbox, events, settle } = holding();
    for (let i = 0; i < 3; i++) inbox.push(text('unreadable', 1_000_000));
    inbox.push('ack');
    let turns = 0;
    const turn = (): void => {
      events.push('turn');
      if (++turns < 10) setImmediate(turn);
    };
    setImmediate(turn);
    await settle();
    await settle();
    const rest = events.join(' ').replace(/( turn)+/g, ' turn');
    expect(rest).toMatch(
      /^read unreadable turn read unreadable turn read unreadable turn read ack handle ack/,
    );
  });

  it('takes no more messages than its bound', async () => {
    const { inbox, overflows } = holding();
    for (let i = 0; i < BACKLOG.messages; i++) inbox.push('status');
    expect(overflows).toEqual([]);
    inbox.push('status');
    expect(overflows).toEqual([`more than ${BACKLOG.messages} control messages are waiting`]);
  });
});
