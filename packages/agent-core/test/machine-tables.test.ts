import { describe, expectTypeOf, it } from 'vitest';
import { TERM_MACHINE, type TermTable } from '../src/term-machine.js';

// tsc checks these: a table that lacks a cell is an error where it is written.
describe('the table of leadership terms', () => {
  it('compiles only with every state, and with every event in each', () => {
    const { table } = TERM_MACHINE;
    const { moving, ...withoutState } = table;
    const { lost: _, ...withoutEvent } = moving;
    expectTypeOf(table).toExtend<TermTable>();
    // @ts-expect-error `moving` is missing
    withoutState satisfies TermTable;
    // @ts-expect-error `moving.lost` is missing
    ({ ...table, moving: withoutEvent }) satisfies TermTable;
    // @ts-expect-error there is no such state
    ({ ...table, moving: { ...moving, lost: { to: 'retired' } } }) satisfies TermTable;
  });
});
