import { describe, expectTypeOf, it } from 'vitest';
import { CONNECTION_MACHINE, type ConnectionTable } from '../src/agent-connection-machine.js';
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

describe('the table of agent connections', () => {
  it('compiles only with every state, and with every event in each', () => {
    const { table } = CONNECTION_MACHINE;
    const { outdated, ...withoutState } = table;
    const { ack: _, ...withoutEvent } = outdated;
    expectTypeOf(table).toExtend<ConnectionTable>();
    // @ts-expect-error `outdated` is missing
    withoutState satisfies ConnectionTable;
    // @ts-expect-error `outdated.ack` is missing
    ({ ...table, outdated: withoutEvent }) satisfies ConnectionTable;
    // @ts-expect-error there is no such close code
    ({ ...table, outdated: { ...outdated, ack: { to: 'ended', close: 'odd' } } }) satisfies ConnectionTable;
  });
});
