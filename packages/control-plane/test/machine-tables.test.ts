import { describe, expectTypeOf, it } from 'vitest';
import { LOGIN_MACHINE, type LoginTable } from '../src/auth/login-machine.js';
import { SESSION_MACHINE, type SessionTable } from '../src/domain/session-machine.js';
import { VIEWER_MACHINE, type ViewerTable } from '../src/http/viewer-machine.js';

// tsc checks these: a table that lacks a cell is an error where it is written.
describe('the table of sessions', () => {
  it('compiles only with every state, and with every event in each', () => {
    const { table } = SESSION_MACHINE;
    const { running, ...withoutState } = table;
    const { wake: _, ...withoutEvent } = running;
    expectTypeOf(table).toExtend<SessionTable>();
    // @ts-expect-error `running` is missing
    withoutState satisfies SessionTable;
    // @ts-expect-error `running.wake` is missing
    ({ ...table, running: withoutEvent }) satisfies SessionTable;
    // @ts-expect-error there is no such state
    ({ ...table, running: { ...running, wake: { to: 'awake' } } }) satisfies SessionTable;
  });
});

describe('the table of logins', () => {
  it('compiles only with every state, and with every event in each', () => {
    const { table } = LOGIN_MACHINE;
    const { settled, ...withoutState } = table;
    const { clean_up: _, ...withoutEvent } = settled;
    expectTypeOf(table).toExtend<LoginTable>();
    // @ts-expect-error `settled` is missing
    withoutState satisfies LoginTable;
    // @ts-expect-error `settled.clean_up` is missing
    ({ ...table, settled: withoutEvent }) satisfies LoginTable;
    // @ts-expect-error there is no such state
    ({ ...table, settled: { ...settled, clean_up: { to: 'gone' } } }) satisfies LoginTable;
  });
});

describe('the table of viewers', () => {
  it('compiles only with every state, and with every event in each', () => {
    const { table } = VIEWER_MACHINE;
    const { explaining, ...withoutState } = table;
    const { idle: _, ...withoutEvent } = explaining;
    expectTypeOf(table).toExtend<ViewerTable>();
    // @ts-expect-error `explaining` is missing
    withoutState satisfies ViewerTable;
    // @ts-expect-error `explaining.idle` is missing
    ({ ...table, explaining: withoutEvent }) satisfies ViewerTable;
    // @ts-expect-error there is no such state
    ({ ...table, explaining: { ...explaining, idle: { to: 'gone' } } }) satisfies ViewerTable;
  });
});
