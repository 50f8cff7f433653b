import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ACK_BACKLOG_LIMIT, AckTimer } from '../src/ack-timer.js';

const TIMEOUT_MS = 1_000;

describe('an acknowledgement timer', () => {
  let isBehind: boolean;
  let silent: number[];
  let timer: AckTimer;

  beforeEach(() => {
    vi.useFakeTimers();
    isBehind = false;
    silent = [];
    timer = new AckTimer({
      ackTimeoutMs: TIMEOUT_MS,
      isBehind: () => isBehind,
      onSilence: (waitedMs) => silent.push(Math.round(waitedMs / TIMEOUT_MS)),
    });
  });
  afterEach(() => void vi.useRealTimers());

  it('finds the agent silent after one timeout when nothing is in the way', () => {
    timer.flushed();
    vi.advanceTimersByTime(TIMEOUT_MS - 1);
    expect(silent).toEqual([]);
    vi.advanceTimersByTime(2);
    expect(silent).toEqual([1]);
  });

  it('waits while messages of the agent are unhandled, and no longer than that', () => {
    timer.flushed();
    isBehind = true;
    vi.advanceTimersByTime(3 * TIMEOUT_MS + 10);
    expect(silent).toEqual([]);
    isBehind = false;
    vi.advanceTimersByTime(TIMEOUT_MS);
    expect(silent).toEqual([4]);
  });

  it('waits no longer than its limit when this side never catches up', () => {
    timer.flushed();
    isBehind = true;
    vi.advanceTimersByTime((ACK_BACKLOG_LIMIT + 1) * TIMEOUT_MS);
    expect(silent).toEqual([ACK_BACKLOG_LIMIT]);
  });

  it('counts the time from when the command has left, up to its limit', () => {
    vi.advanceTimersByTime(2.5 * TIMEOUT_MS);
    timer.flushed();
    vi.advanceTimersByTime(TIMEOUT_MS - 1);
    expect(silent).toEqual([]);
    vi.advanceTimersByTime(2);
    expect(silent).toEqual([4]);
  });

  it('does not wait for ever for a command to leave', () => {
    vi.advanceTimersByTime((ACK_BACKLOG_LIMIT + 1) * TIMEOUT_MS);
    expect(silent).toEqual([ACK_BACKLOG_LIMIT]);
  });

  it('says nothing once it is stopped', () => {
    timer.flushed();
    timer.stop();
    timer.flushed();
    vi.advanceTimersByTime(10 * TIMEOUT_MS);
    expect(silent).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
