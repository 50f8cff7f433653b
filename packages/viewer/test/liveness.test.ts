import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Liveness } from '../src/liveness.js';

const SILENT_MS = 5_000;
const KEY = new Uint8Array([4, 1, 0, 0, 0, 0, 0, 97]);
const UPDATE_REQUEST = new Uint8Array([3, 1, 0, 0, 0, 0, 0, 1, 0, 1]);

let asked: number;
let silent: number;
let liveness: Liveness;

beforeEach(() => {
  vi.useFakeTimers();
  asked = 0;
  silent = 0;
  liveness = new Liveness({
    silentMs: SILENT_MS,
    ask: () => (asked += 1),
    onSilent: () => (silent += 1),
  });
});
afterEach(() => {
  liveness.stop();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe('liveness', () => {
  it('asks when nothing answers input, and gives up when nothing answers that', () => {
    liveness.sent(KEY);
    vi.advanceTimersByTime(SILENT_MS - 1);
    expect(asked).toBe(0);
    vi.advanceTimersByTime(1);
    expect([asked, silent]).toEqual([1, 0]);
    vi.advanceTimersByTime(3 * SILENT_MS - 1);
    expect([asked, silent]).toEqual([1, 0]);
    vi.advanceTimersByTime(10);
    expect([asked, silent]).toEqual([1, 1]);
  });

  it('counts from the first input that nothing answered, not from the last', () => {
    for (let second = 0; second < 19; second++) {
      liveness.sent(KEY);
      vi.advanceTimersByTime(1_000);
    }
    expect(silent).toBe(0);
    vi.advanceTimersByTime(1_010);
    expect(silent).toBe(1);
  });

  it('asks nothing where input is answered', () => {
    for (let time = 0; time < 100; time++) {
      liveness.sent(KEY);
      vi.advanceTimersByTime(SILENT_MS - 1);
      liveness.arrived();
    }
    expect([asked, silent]).toEqual([0, 0]);
  });

  it('is content with any answer, and asks once for input that changes nothing', () => {
    liveness.sent(KEY);
    vi.advanceTimersByTime(SILENT_MS + 10);
    liveness.arrived();
    vi.advanceTimersByTime(600_000);
    expect([asked, silent]).toEqual([1, 0]);
  });

  it('sends nothing while nobody gives input, so that a desktop that nobody uses stays idle', () => {
    liveness.sent(UPDATE_REQUEST);
    vi.advanceTimersByTime(3_600_000);
    expect([asked, silent]).toEqual([0, 0]);
  });

  it.each([4, 5, 6, 251, 255])('takes a message of type %i for input', (type) => {
    liveness.sent(new Uint8Array([type, 0, 0, 0]));
    vi.advanceTimersByTime(SILENT_MS);
    expect(asked).toBe(1);
  });

  it('asks on request, without input', () => {
    liveness.doubt();
    vi.advanceTimersByTime(SILENT_MS);
    expect(asked).toBe(1);
  });

  it('gives a long text the time that a slow way up takes for it', () => {
    const text = new Uint8Array(1024 * 1024);
    text[0] = 6;
    liveness.sent(text);
    vi.advanceTimersByTime(5 * SILENT_MS);
    expect([asked, silent]).toEqual([1, 0]);
    vi.advanceTimersByTime(text.length / 32);
    expect(silent).toBe(1);
  });

  it('gives it that time too where something else arrives meanwhile', () => {
    const text = new Uint8Array(1024 * 1024);
    text[0] = 6;
    liveness.sent(text);
    vi.advanceTimersByTime(400);
    liveness.arrived();
    liveness.sent(KEY);
    vi.advanceTimersByTime(text.length / 32 + 2 * SILENT_MS);
    expect([asked, silent]).toEqual([1, 0]);
    liveness.arrived();
    // By now the text is through.
    liveness.sent(KEY);
    vi.advanceTimersByTime(4 * SILENT_MS + 10);
    expect([asked, silent]).toEqual([2, 1]);
  });

  it('asks again after a sleep of the machine, which proves nothing', () => {
    liveness.sent(KEY);
    vi.advanceTimersByTime(SILENT_MS);
    // The clock goes on, timers do not: the next one comes late.
    const late = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 60_000);
    vi.advanceTimersByTime(3 * SILENT_MS);
    late.mockRestore();
    expect([asked, silent]).toEqual([2, 0]);
    vi.advanceTimersByTime(3 * SILENT_MS + 60_000);
    expect(silent).toBe(1);
  });

  it('says nothing any more once it is stopped', () => {
    liveness.sent(KEY);
    vi.advanceTimersByTime(SILENT_MS);
    liveness.stop();
    liveness.sent(KEY);
    liveness.arrived();
    vi.advanceTimersByTime(10 * SILENT_MS);
    expect([asked, silent]).toEqual([1, 0]);
  });
});
