import { describe, expect, it } from 'vitest';
import { check } from './checker.js';
import type { EventOf, HistoryEvent, Wanted } from './history.js';

const DEADLINE = 1_000;

function accepted(seq: number, action: EventOf<'accepted'>['action'], generation = 1): EventOf<'accepted'> {
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

const requested = (wanted: Wanted): HistoryEvent => ({
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
const held = (generation = 1, state: EventOf<'held'>['state'] = 'running'): HistoryEvent => ({
  kind: 'held',
  sessionId: 'desk',
  generation,
  state,
});

const start = accepted(1, 'start_session');
const stop = accepted(2, 'stop_session');
const again = accepted(3, 'start_session', 2);
const sound = [
  ...[requested('running'), start, effect(start), completed(start)],
  ...[requested('terminated'), stop, effect(stop), completed(stop)],
];
const begun = [requested('running'), start, effect(start), completed(start)];
const hibernate = accepted(2, 'hibernate_session');
const wake = accepted(3, 'wake_session');
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
      'reordered',
      'wrong_state',
    ]);
  });

  it('calls reordered an effect before its command was accepted, and one while an earlier command is under way', () => {
    expect(kindsOf(effect(start), start, completed(start), held())).toEqual(['reordered']);
    const together = [start, stop, effect(start), effect(stop), completed(stop), completed(start)];
    expect(kindsOf(...together)).toEqual(['reordered']);
    expect(kindsOf(start, stop, effect(start), completed(start), effect(stop), completed(stop))).toEqual([]);
  });

  it('calls contradicted a command with two outcomes, and one whose outcome was taken back', () => {
    const late = failed(start, 'deadline_exceeded', DEADLINE);
    expect(kindsOf(start, effect(start), completed(start), late)).toEqual(['contradicted']);
    expect(kindsOf(start, effect(start), late, completed(start), held())).toEqual(['contradicted']);
    const reopened: HistoryEvent = { ...completed(start), state: 'open' };
    const openAgain = [start, effect(start), completed(start), reopened];
    expect(kindsOf(...openAgain, held())).toEqual(['lost', 'contradicted']);
    expect(kindsOf(...openAgain, completed(start), held())).toEqual(['contradicted']);
  });

  it('calls contradicted two commands of a session with one number, and one that is accepted twice', () => {
    const other = { ...stop, seq: 1 };
    const both = [start, effect(start), completed(start), other, effect(other), completed(other)];
    expect(kindsOf(...both)).toEqual(['contradicted']);
    expect(kindsOf(start, start, effect(start), completed(start), held())).toContain('contradicted');
  });

  it('follows a session that hibernates and is woken', () => {
    const asleep = [...begun, requested('hibernated'), hibernate, effect(hibernate), completed(hibernate)];
    const woken = [...asleep, requested('woken'), wake, effect(wake), completed(wake)];
    expect(check([...asleep, state('hibernated'), held(1, 'hibernated')])).toEqual([]);
    expect(check([...woken, state('running'), held()])).toEqual([]);
    expect(kindsOf(...asleep, state('hibernated'), held())).toEqual(['wrong_state', 'wrong_state']);
    expect(kindsOf(...woken, state('running'), held(1, 'hibernated'))).toEqual([
      'wrong_state',
      'wrong_state',
    ]);
    expect(kindsOf(...begun, requested('woken'), state('running'), held())).toEqual(['lost']);
  });

  it('calls lost a hibernation, a wake or a stop that is completed and changed nothing where there was work', () => {
    const running = begun.slice(1);
    const none = [hibernate, effect(hibernate, false), completed(hibernate)];
    expect(kindsOf(...running, ...none, held(1, 'hibernated'))).toEqual(['lost']);
    expect(kindsOf(...running, stop, effect(stop, false), completed(stop))).toEqual(['lost']);
    const asleep = [...running, hibernate, effect(hibernate), completed(hibernate)];
    expect(kindsOf(...asleep, wake, effect(wake, false), completed(wake), held())).toEqual(['lost']);
    const again = { ...hibernate, commandId: 'again', seq: 3 };
    const undone = [again, effect(again, false), completed(again), held(1, 'hibernated')];
    expect(kindsOf(...asleep, ...undone)).toEqual([]);
  });

  it('calls wrong a start that failed, took effect later and was not undone', () => {
    const late = [start, failed(start, 'deadline_exceeded', DEADLINE), effect(start)];
    expect(kindsOf(...late, held())).toEqual(['wrong_state']);
    expect(kindsOf(...late, stop, effect(stop), completed(stop))).toEqual([]);
  });

  it('calls stale an effect of an older generation', () => {
    const newer = accepted(1, 'start_session', 2);
    const older = accepted(2, 'stop_session', 1);
    const first = [newer, effect(newer), completed(newer)];
    expect(kindsOf(...first, older, effect(older), completed(older))).toEqual(['stale']);
  });

  it('calls wrong a state in which database, platform and client differ', () => {
    expect(kindsOf(...sound, state('terminated'), held())).toContain('wrong_state');
    expect(kindsOf(...sound, state('terminating'))).toEqual(['wrong_state']);
    expect(kindsOf(...sound.slice(0, 4), state('running'))).toContain('wrong_state');
  });
});
