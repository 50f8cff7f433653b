import { describe, expect, it } from 'vitest';
import { ResultLog, type Result } from '../src/result-log.js';

const done = (commandId: string, chars = 10): Result => ({
  type: 'complete',
  payload: { commandId, result: { state: 'running', notes: 'x'.repeat(chars) } },
});
const failed = (commandId: string): Result => ({
  type: 'failed',
  payload: { commandId, error: 'there is no such image', code: 'image_missing' },
});

describe('the log of results', () => {
  it('keeps of what was reported only how it ended', () => {
    const log = new ResultLog();
    log.add(done('c-1'));
    log.add(failed('c-2'));
    expect(log.recall('c-1')).toEqual(done('c-1'));
    log.reported('c-1');
    log.reported('c-2');
    expect([log.unreported, log.unreportedChars]).toEqual([0, 0]);
    expect(log.recall('c-1')).toEqual({ type: 'complete', payload: { commandId: 'c-1' } });
    expect(log.recall('c-2')).toEqual({
      type: 'failed',
      payload: { commandId: 'c-2', error: 'the reason is kept no longer', code: 'image_missing' },
    });
    // Asked for again, they are to be reported again.
    expect([...log.pending()].map(({ payload }) => payload.commandId)).toEqual(['c-1', 'c-2']);
  });

  it('holds few bytes however much was reported', () => {
    const log = new ResultLog();
    for (let i = 0; i < 3_000; i++) {
      log.add(done(`c-${i}`, 100_000));
      log.reported(`c-${i}`);
    }
    let held = 0;
    for (let i = 0; i < 3_000; i++) held += JSON.stringify(log.recall(`c-${i}`)).length;
    expect(held).toBeLessThan(3_000 * 100);
  });

  it('reports the oldest without their details where those that wait are too much', () => {
    const log = new ResultLog();
    const most = 32 * 2 ** 20;
    for (let i = 0; i < 40; i++) log.add(done(`c-${i}`, 2 ** 20));
    expect(log.unreported).toBe(40);
    expect(log.unreportedChars).toBeLessThanOrEqual(most);
    expect(log.unreportedChars).toBeGreaterThan(most - 2 * 2 ** 20);
    const detailed = [...log.pending()].map(({ payload }) => 'result' in payload);
    expect(detailed).toEqual([...Array(9).fill(false), ...Array(31).fill(true)]);
    for (let i = 0; i < 40; i++) log.reported(`c-${i}`);
    expect(log.unreportedChars).toBe(0);
  });

  it('forgets what was reported before what was not', async () => {
    const log = new ResultLog();
    log.add(done('unreported'));
    for (let i = 0; i < 10_000; i++) {
      log.add(done(`c-${i}`));
      log.reported(`c-${i}`);
    }
    expect(log.recall('unreported')).toBeDefined();
    expect(log.recall('c-0')).toBeUndefined();
    expect(log.recall('c-1')).toBeDefined();
  });

  it('forgets the oldest where nothing was reported', () => {
    const log = new ResultLog();
    for (let i = 0; i <= 10_000; i++) log.add(done(`c-${i}`));
    expect([log.unreported, log.recall('c-0')]).toEqual([10_000, undefined]);
  });
});
