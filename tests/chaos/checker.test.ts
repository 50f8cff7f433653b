import { describe, expect, it } from 'vitest';
import { check } from './checker.js';
import type { EventOf, HistoryEvent } from './history.js';

const DEADLINE = 1_000;

function accepted(
  seq: number,
  action: 'start_session' | 'stop_session',
  generation = 1,
): EventOf<'accepted'> {
  return {
    kind: 'accepted',
    commandId: `c${seq}`,
    sessionId: 'desk',
    seq,
    generation,
    action,
    deadline: DEADLINE,
  };
}

function effect(of: EventOf<'accepted'>, changed = true): EventOf<'effect'> {
  const { commandId, sessionId, generation, action } = of;
  return { kind: 'effect', commandId, sessionId, generation, action, changed };
}

function completed({ commandId }: EventOf<'accepted'>): EventOf<'outcome'> {
  return { kind: 'outcome', commandId, state: 'completed', at: 10 };
}

function failed({ commandId }: EventOf<'accepted'>, code: string, at = 10): EventOf<'outcome'> {
  return { kind: 'outcome', commandId, state: 'failed', code, at };
}

const requested = (wanted: 'running' | 'terminated'): HistoryEvent => ({
  kind: 'requested',
  sessionId: 'desk',
  wanted,
});
const state = (name: string, generation = 1): HistoryEvent => ({
  kind: 'state',
  sessionId: 'desk',
  state: name,
  generation,
});
const held = (generation = 1): HistoryEvent => ({ kind: 'held', sessionId: 'desk', generation });

const start = accepted(1, 'start_session');
const stop = accepted(2, 'stop_session');
const again = accepted(3, 'start_session', 2);
const sound = [
  ...[requested('running'), start, effect(start), completed(start)],
  ...[requested('terminated'), stop, effect(stop), completed(stop)],
];
const kindsOf = (...history: HistoryEvent[]): string[] => check(history).map(({ kind }) => kind);

describe('the checker', () => {
  it('finds nothing wrong with a life in order', () => {
    const second = [requested('running'), again, effect(again), completed(again)];
    expect(check([...sound, state('terminated')])).toEqual([]);
    expect(check([...sound, ...second, state('running', 2), held(2)])).toEqual([]);
  });

  it('takes a command that came again and changed nothing for what it is', () => {
    expect(kindsOf(start, effect(start), effect(start, false), completed(start), held())).toEqual([]);
  });

  it('lets a command fail once its deadline has passed, and a start that was stopped before anybody saw it', () => {
    expect(kindsOf(start, failed(start, 'deadline_exceeded', DEADLINE))).toEqual([]);
    const early = [requested('running'), requested('terminated'), start, failed(start, 'cancelled')];
    expect(kindsOf(...early, state('terminated'))).toEqual([]);
  });

  it('calls lost what has no outcome, failed early, or is completed without an effect', () => {
    expect(kindsOf(start)).toEqual(['lost']);
    expect(kindsOf(start, failed(start, 'deadline_exceeded'))).toEqual(['lost']);
    expect(kindsOf(start, failed(start, 'internal', DEADLINE))).toEqual(['lost']);
    expect(kindsOf(start, completed(start), held())).toEqual(['lost']);
    expect(kindsOf(start, effect(start, false), completed(start), held())).toEqual(['lost']);
  });

  it('calls lost what a client was promised and nobody was told', () => {
    expect(kindsOf(requested('running'))).toContain('lost');
    expect(kindsOf(requested('running'), state('running'), held())).toEqual(['lost']);
  });

  it('calls doubled an effect that there was already, and one that nobody asked for', () => {
    expect(kindsOf(...sound, effect(start))).toContain('doubled');
    expect(kindsOf(start, effect(start), completed(start), effect(again), held(2))).toContain('doubled');
    const restarted = [...sound.slice(0, 4), again, effect(again), completed(again)];
    expect(kindsOf(...restarted, state('running', 2), held(2))).toEqual(['doubled']);
  });

  it('calls reordered what was carried out after a later command, also without a change', () => {
    const outcomes = [completed(start), completed(stop)];
    expect(kindsOf(start, stop, effect(stop, false), effect(start), ...outcomes, held())).toEqual([
      'reordered',
      'wrong_state',
    ]);
  });

  it('calls stale an effect of an older generation', () => {
    const newer = accepted(1, 'start_session', 2);
    const older = accepted(2, 'stop_session', 1);
    const outcomes = [completed(newer), completed(older)];
    expect(kindsOf(newer, effect(newer), older, effect(older), ...outcomes)).toEqual(['stale']);
  });

  it('calls wrong a state in which database, platform and client differ', () => {
    expect(kindsOf(...sound, state('terminated'), held())).toContain('wrong_state');
    expect(kindsOf(...sound, state('terminating'))).toEqual(['wrong_state']);
    expect(kindsOf(...sound.slice(0, 4), state('running'))).toContain('wrong_state');
  });
});
