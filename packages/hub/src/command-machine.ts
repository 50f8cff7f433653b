import type { Action } from '@streamspace/protocol';
import type { CommandState } from './ports.js';

const STATES = {
  pending: 'Written, and handed out to no connection yet.',
  sent: 'Handed out to a connection of the agent.',
  ack: 'The agent has said that it has it.',
  completed: 'The agent has executed it.',
  failed: 'The agent could not execute it, or it was given up here.',
} as const satisfies Record<CommandState, string>;

const EVENTS = {
  claim: 'The next connection of the agent asks for commands.',
  claim_again: 'The same connection asks for commands again.',
  claim_by_replaced: 'A connection that was replaced asks for commands.',
  claim_to_the_limit:
    'One connection after the other asks for commands, until the limit of attempts is passed.',
  recall: 'The connection says which commands arrived, and this one is not among them.',
  recall_of_others: 'The connection says which commands arrived, and this one is among them.',
  resume: 'The next connection of the agent says that the agent is executing it.',
  acknowledge: 'The agent acknowledges it.',
  acknowledge_by_replaced: 'An acknowledgement comes on a connection that was replaced.',
  complete: 'The agent reports success.',
  fail: 'The agent reports failure.',
  complete_by_replaced: 'A success is reported on a connection that was replaced.',
  complete_by_other: 'Another agent reports success.',
  expire: 'Its deadline passes.',
  stop: 'A `stop_session` of the same session is enqueued for the same agent.',
  enqueue_again: 'A command with the same id is enqueued.',
} as const satisfies Record<string, string>;

const EFFECTS = {
  handed_out: 'The connection that asked gets it.',
  given_back: 'The same connection gets it when it asks again.',
  undone: 'The command that undoes it is enqueued, where `UNDONE_BY` has one.',
  refused: 'The caller gets `stale_epoch`.',
} as const satisfies Record<string, string>;

export type CommandEvent = keyof typeof EVENTS;
export type CommandEffect = keyof typeof EFFECTS;

export interface CommandOutcome {
  readonly to: CommandState;
  readonly does?: readonly CommandEffect[];
  /** Of a command that neither starts nor wakes, where that differs. */
  readonly toOfOthers?: CommandState;
}

export type CommandTable = Record<CommandState, Record<CommandEvent, CommandOutcome>>;

/** What undoes a command that was handed out and then given up. What ends or hibernates a session is asked for again. */
export const UNDONE_BY = {
  start_session: 'stop_session',
  wake_session: 'hibernate_session',
  hibernate_session: undefined,
  stop_session: undefined,
} as const satisfies Record<Action, Action | undefined>;

/**
 * One command in a `CommandQueue`.
 *
 * Invariants:
 *
 * 1. A state moves forward only: `pending`, `sent`, `ack`, then `completed` or `failed`.
 * 2. The first outcome is final. An outcome is taken in each open state, also where the hand-out is not known here.
 * 3. A connection gets a command once, unless it was recalled. Each hand-out counts as an attempt.
 * 4. What a replaced connection or another agent says changes nothing.
 * 5. What was handed out and is then given up, by its deadline or by the limit of attempts, is undone. What is pending
 *    needs no undoing.
 * 6. A stop cancels a start or a wake that is pending, and no other command.
 * 7. A recalled command goes on counting as sent: the agent may have it all the same.
 */
export const COMMAND_MACHINE = {
  states: STATES,
  events: EVENTS,
  effects: EFFECTS,
  initial: ['pending'],
  table: {
    pending: {
      claim: { to: 'sent', does: ['handed_out'] },
      claim_again: { to: 'sent', does: ['handed_out'] },
      claim_by_replaced: { to: 'pending' },
      claim_to_the_limit: { to: 'failed', does: ['undone'] },
      recall: { to: 'pending' },
      recall_of_others: { to: 'pending' },
      resume: { to: 'ack' },
      acknowledge: { to: 'pending' },
      acknowledge_by_replaced: { to: 'pending', does: ['refused'] },
      complete: { to: 'completed' },
      fail: { to: 'failed' },
      complete_by_replaced: { to: 'pending', does: ['refused'] },
      complete_by_other: { to: 'pending' },
      expire: { to: 'failed' },
      stop: { to: 'failed', toOfOthers: 'pending' },
      enqueue_again: { to: 'pending' },
    },
    sent: {
      claim: { to: 'sent', does: ['handed_out'] },
      claim_again: { to: 'sent' },
      claim_by_replaced: { to: 'sent' },
      claim_to_the_limit: { to: 'failed', does: ['undone'] },
      recall: { to: 'sent', does: ['given_back'] },
      recall_of_others: { to: 'sent' },
      resume: { to: 'ack' },
      acknowledge: { to: 'ack' },
      acknowledge_by_replaced: { to: 'sent', does: ['refused'] },
      complete: { to: 'completed' },
      fail: { to: 'failed' },
      complete_by_replaced: { to: 'sent', does: ['refused'] },
      complete_by_other: { to: 'sent' },
      expire: { to: 'failed', does: ['undone'] },
      stop: { to: 'sent' },
      enqueue_again: { to: 'sent' },
    },
    ack: {
      claim: { to: 'ack', does: ['handed_out'] },
      claim_again: { to: 'ack' },
      claim_by_replaced: { to: 'ack' },
      claim_to_the_limit: { to: 'failed', does: ['undone'] },
      recall: { to: 'ack', does: ['given_back'] },
      recall_of_others: { to: 'ack' },
      resume: { to: 'ack' },
      acknowledge: { to: 'ack' },
      acknowledge_by_replaced: { to: 'ack', does: ['refused'] },
      complete: { to: 'completed' },
      fail: { to: 'failed' },
      complete_by_replaced: { to: 'ack', does: ['refused'] },
      complete_by_other: { to: 'ack' },
      expire: { to: 'failed', does: ['undone'] },
      stop: { to: 'ack' },
      enqueue_again: { to: 'ack' },
    },
    completed: {
      claim: { to: 'completed' },
      claim_again: { to: 'completed' },
      claim_by_replaced: { to: 'completed' },
      claim_to_the_limit: { to: 'completed' },
      recall: { to: 'completed' },
      recall_of_others: { to: 'completed' },
      resume: { to: 'completed' },
      acknowledge: { to: 'completed' },
      acknowledge_by_replaced: { to: 'completed', does: ['refused'] },
      complete: { to: 'completed' },
      fail: { to: 'completed' },
      complete_by_replaced: { to: 'completed', does: ['refused'] },
      complete_by_other: { to: 'completed' },
      expire: { to: 'completed' },
      stop: { to: 'completed' },
      enqueue_again: { to: 'completed' },
    },
    failed: {
      claim: { to: 'failed' },
      claim_again: { to: 'failed' },
      claim_by_replaced: { to: 'failed' },
      claim_to_the_limit: { to: 'failed' },
      recall: { to: 'failed' },
      recall_of_others: { to: 'failed' },
      resume: { to: 'failed' },
      acknowledge: { to: 'failed' },
      acknowledge_by_replaced: { to: 'failed', does: ['refused'] },
      complete: { to: 'failed' },
      fail: { to: 'failed' },
      complete_by_replaced: { to: 'failed', does: ['refused'] },
      complete_by_other: { to: 'failed' },
      expire: { to: 'failed' },
      stop: { to: 'failed' },
      enqueue_again: { to: 'failed' },
    },
  },
} as const satisfies {
  states: Record<CommandState, string>;
  events: Record<CommandEvent, string>;
  effects: Record<CommandEffect, string>;
  initial: readonly CommandState[];
  table: CommandTable;
};
