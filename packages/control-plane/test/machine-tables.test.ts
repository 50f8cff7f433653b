import { describe, expectTypeOf, it } from 'vitest';
import { SESSION_MACHINE, type SessionTable } from '../src/domain/session-machine.js';

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
