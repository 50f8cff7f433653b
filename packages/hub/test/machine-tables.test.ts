import { describe, expectTypeOf, it } from 'vitest';
import { COMMAND_MACHINE, type CommandTable } from '../src/command-machine.js';

// tsc checks these: a table that lacks a cell is an error where it is written.
describe('the table of commands', () => {
  it('compiles only with every state, and with every event in each', () => {
    const { table } = COMMAND_MACHINE;
    const { sent, ...withoutState } = table;
    const { recall: _, ...withoutEvent } = sent;
    expectTypeOf(table).toExtend<CommandTable>();
    // @ts-expect-error `sent` is missing
    withoutState satisfies CommandTable;
    // @ts-expect-error `sent.recall` is missing
    ({ ...table, sent: withoutEvent }) satisfies CommandTable;
    // @ts-expect-error there is no such state
    ({ ...table, sent: { ...sent, recall: { to: 'lost' } } }) satisfies CommandTable;
  });
});
