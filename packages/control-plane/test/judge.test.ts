import type { InventoryEntry, ObservedState } from '@streamspace/protocol';
import { describe, expect, it } from 'vitest';
import { judge } from '../src/domain/judge.js';
import type { HeldSession } from '../src/domain/ports.js';

const session = (more: Partial<HeldSession> = {}): HeldSession => ({
  id: 's',
  agentId: 'a',
  generation: 2,
  desired: 'running',
  state: 'running',
  busy: false,
  ...more,
});
const entry = (state: ObservedState, generation = 2, sessionId = 's'): InventoryEntry => ({
  sessionId,
  generation,
  commandId: 'c',
  state,
});
const actions = (inventory: InventoryEntry[], sessions: HeldSession[], changed: string[] = []) =>
  judge('a', inventory, sessions, new Set(changed)).verdicts.map(
    ({ session: _, reason: __, ...rest }) => rest,
  );

describe('a judgement of an inventory', () => {
  it('is content with what is as it should be', () => {
    expect(actions([entry('running')], [session()])).toEqual([]);
    expect(actions([entry('starting')], [session({ state: 'pending' })])).toEqual([]);
    expect(actions([], [session({ desired: 'terminated', state: 'terminated' })])).toEqual([]);
    expect(actions([], [session({ desired: 'terminated', state: 'failed' })])).toEqual([]);
  });

  it('starts again, as a new generation, what the agent lacks or holds as ended', () => {
    const restart = [{ action: 'restart', newGeneration: 3 }];
    expect(actions([], [session()])).toEqual(restart);
    expect(actions([entry('stopped')], [session()])).toEqual(restart);
    expect(actions([entry('failed')], [session()])).toEqual(restart);
    expect(actions([entry('running', 1)], [session()])).toEqual(restart);
  });

  it('goes above the generation that the agent holds, as after a restored backup', () => {
    expect(actions([entry('running', 7)], [session()])).toEqual([{ action: 'restart', newGeneration: 8 }]);
  });

  it('stops what is held and should have ended, however it got there', () => {
    const ended = { desired: 'terminated' } as const;
    const stop = [{ action: 'stop', heldGeneration: 2 }];
    expect(actions([entry('running')], [session({ ...ended, state: 'terminating' })])).toEqual(stop);
    expect(actions([entry('starting')], [session({ ...ended, state: 'failed' })])).toEqual(stop);
    expect(actions([entry('failed')], [session({ ...ended, state: 'terminated' })])).toEqual(stop);
  });

  it('follows an agent that has hibernated a session, asked or not', () => {
    const hibernated = [{ action: 'hibernated' }];
    expect(actions([entry('hibernated')], [session()])).toEqual(hibernated);
    expect(actions([entry('hibernated')], [session({ desired: 'hibernated' })])).toEqual(hibernated);
    const asItShouldBe = session({ desired: 'hibernated', state: 'hibernated' });
    expect(actions([entry('hibernated')], [asItShouldBe])).toEqual([]);
  });

  it('lets go on running what could not be hibernated, and starts nothing that was put away', () => {
    const wanted = session({ desired: 'hibernated' });
    expect(actions([entry('running')], [wanted])).toEqual([{ action: 'keep_running' }]);
    const away = session({ desired: 'hibernated', state: 'hibernated' });
    expect(actions([entry('running')], [away])).toEqual([{ action: 'keep_running' }]);
    expect(actions([], [away])).toEqual([]);
    expect(actions([entry('failed')], [away])).toEqual([]);
    expect(actions([entry('hibernated', 1)], [wanted])).toEqual([]);
  });

  it('leaves alone what an earlier version looks after', () => {
    const external = session({ desired: 'external' });
    expect(actions([], [external])).toEqual([]);
    expect(actions([entry('running')], [external])).toEqual([]);
    expect(actions([entry('running')], [{ ...external, agentId: 'b' }])).toEqual([]);
  });

  it('stops what belongs to another agent by now', () => {
    expect(actions([entry('running', 1)], [session({ agentId: 'b' })])).toEqual([
      { action: 'stop', heldGeneration: 1 },
    ]);
    expect(actions([entry('stopped', 1)], [session({ agentId: 'b' })])).toEqual([]);
  });

  it('notes the end of what is gone, or left only as remains', () => {
    const terminating = session({ desired: 'terminated', state: 'terminating' });
    expect(actions([], [terminating])).toEqual([{ action: 'terminated' }]);
    expect(actions([entry('stopped')], [terminating])).toEqual([{ action: 'terminated' }]);
  });

  it('leaves alone what is busy or was changed since', () => {
    expect(actions([], [session({ busy: true })])).toEqual([]);
    expect(actions([], [session()], ['s'])).toEqual([]);
  });

  it('only reports what nobody knows', () => {
    const judgement = judge('a', [entry('running', 1, 'stranger')], [], new Set());
    expect(judgement).toEqual({ verdicts: [], unknown: ['stranger'] });
  });
});
