import { describe, expectTypeOf, it } from 'vitest';
import { STREAM_MACHINE, type StreamTable } from '../src/stream-machine.js';

// tsc checks these: a table that lacks a cell is an error where it is written.
describe('the table of tunnel streams', () => {
  it('compiles only with every state, and with every event in each', () => {
    const { table } = STREAM_MACHINE;
    const { unread, ...withoutState } = table;
    const { read: _, ...withoutEvent } = unread;
    expectTypeOf(table).toExtend<StreamTable>();
    // @ts-expect-error `unread` is missing
    withoutState satisfies StreamTable;
    // @ts-expect-error `unread.read` is missing
    ({ ...table, unread: withoutEvent }) satisfies StreamTable;
    // @ts-expect-error there is no such reset code
    ({ ...table, unread: { ...unread, read: { to: 'closed', reset: 'odd' } } }) satisfies StreamTable;
  });
});
