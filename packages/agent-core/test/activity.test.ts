import { describe, expect, it } from 'vitest';
import { ActivityLog, type ActivityChange } from '../src/activity.js';

function setUp(idleAfterMs = 100) {
  const changes: ActivityChange[] = [];
  const clock = { now: 0 };
  const log = new ActivityLog({
    idleAfterMs,
    now: () => clock.now,
    onChange: (change) => changes.push(change),
  });
  const running = new Set(['s-1', 's-2']);
  return { log, changes, clock, running };
}

describe('the activity of sessions', () => {
  it('is told when it ends and when it begins again, once each', () => {
    const { log, changes, clock, running } = setUp();
    log.sweep(running);
    log.viewerCame('s-1');
    clock.now = 60;
    log.input('s-1');
    clock.now = 100;
    log.sweep(running);
    log.sweep(running);
    expect(changes).toEqual([{ kind: 'idle', sessionId: 's-2', quietMs: 100, viewers: 0 }]);
    clock.now = 160;
    log.sweep(running);
    expect(changes[1]).toEqual({ kind: 'idle', sessionId: 's-1', quietMs: 100, viewers: 1 });
    clock.now = 200;
    log.input('s-1');
    log.input('s-1');
    expect(changes.slice(2)).toEqual([{ kind: 'active', sessionId: 's-1', quietMs: 140, viewers: 1 }]);
  });

  it('begins anew with a session that ran again', () => {
    const { log, changes, clock, running } = setUp();
    log.sweep(running);
    clock.now = 90;
    log.sweep(new Set());
    clock.now = 150;
    log.input('s-1');
    log.sweep(running);
    clock.now = 200;
    log.sweep(running);
    expect(changes).toEqual([]);
  });

  it('is never over where no time is named', () => {
    const { log, changes, clock, running } = setUp(0);
    log.sweep(running);
    clock.now = 1e9;
    log.sweep(running);
    expect(changes).toEqual([]);
  });
});
