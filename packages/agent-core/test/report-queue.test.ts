import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ReportQueue, type SessionReport } from '../src/report-queue.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const report = (sessionId: string): SessionReport => ({
  type: 'status',
  payload: { sessionId, generation: 1, state: 'failed' },
});

function setUp() {
  const link = { connected: true, sent: [] as string[], dropped: 0 };
  const queue = new ReportQueue({
    send: ({ payload }) => link.connected && link.sent.push(payload.sessionId) > 0,
    onDropped: () => (link.dropped += 1),
  });
  return { link, queue };
}

describe('reports of sessions', () => {
  it('go out at once while there is a connection, and wait in order while there is none', () => {
    const { link, queue } = setUp();
    queue.add(report('a'));
    link.connected = false;
    queue.add(report('b'));
    queue.add(report('c'));
    expect(link.sent).toEqual(['a']);
    link.connected = true;
    // Not past those that wait.
    queue.add(report('d'));
    queue.flush();
    expect(link.sent).toEqual(['a', 'b', 'c', 'd']);
    queue[Symbol.dispose]();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('that are very many go out little by little', () => {
    const { link, queue } = setUp();
    for (let i = 0; i < 500; i++) queue.add(report(`${i}`));
    expect(link.sent).toHaveLength(128);
    vi.advanceTimersByTime(1_000);
    expect(link.sent).toHaveLength(228);
    vi.advanceTimersByTime(10_000);
    expect(link.sent).toEqual(Array.from({ length: 500 }, (_, i) => `${i}`));
    expect(vi.getTimerCount()).toBe(0);
  });

  it('that nobody takes for too long are dropped from the oldest on, and counted', () => {
    const { link, queue } = setUp();
    link.connected = false;
    for (let i = 0; i < 10_003; i++) queue.add(report(`${i}`));
    link.connected = true;
    queue.flush();
    expect([link.dropped, link.sent[0]]).toEqual([3, '3']);
    queue[Symbol.dispose]();
  });
});
