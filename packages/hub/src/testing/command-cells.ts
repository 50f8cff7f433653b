import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { ACTIONS, type Action } from '@streamspace/protocol';
import { COMMAND_MACHINE, UNDONE_BY, type CommandEvent, type CommandOutcome } from '../command-machine.js';
import type { CommandState, NewCommand, Outcome } from '../ports.js';
import type { CommandQueueFixture } from './command-queue-suite.js';

const STATES = Object.keys(COMMAND_MACHINE.states) as CommandState[];
const EVENTS = Object.keys(COMMAND_MACHINE.events) as CommandEvent[];
/** Events whose outcome depends on what the command asks for. The others are driven with a start only. */
const BY_ACTION: readonly CommandEvent[] = ['claim_to_the_limit', 'expire', 'stop'];
const HOUR_MS = 3_600_000;

const COMPLETED: Outcome = { state: 'completed' };
const FAILED: Outcome = { state: 'failed', error: 'It did not work.' };

interface Cell {
  readonly state: CommandState;
  readonly command: NewCommand;
}

/** What an event gave, by the id of the command that it concerned. */
type Answers = Map<string, unknown>;

/** One agent with a command in each state that is in question. */
async function bring(fixture: CommandQueueFixture, event: CommandEvent) {
  const { queue } = fixture;
  const agentId = `agent-${randomUUID().slice(0, 8)}`;
  const { epoch } = await fixture.addAgent(agentId);
  const actions: readonly Action[] = BY_ACTION.includes(event) ? ACTIONS : ['start_session'];
  const deadline = Date.now() + (event === 'expire' ? -1_000 : HOUR_MS);
  const cells = await Promise.all(
    STATES.flatMap((state) =>
      actions.map(async (action): Promise<Cell> => {
        const sessionId = `s-${randomUUID().slice(0, 8)}`;
        await fixture.addSession(sessionId, agentId);
        const id = { commandId: randomUUID(), agentId, sessionId, generation: 1 };
        return { state, command: { ...id, action, payload: {}, deadline } };
      }),
    ),
  );
  const enqueue = (isIn: (state: CommandState) => boolean) =>
    Promise.all(cells.filter(({ state }) => isIn(state)).map(({ command }) => queue.enqueue(command)));
  await enqueue((state) => state !== 'pending');
  await queue.claim(agentId, epoch, cells.length);
  await Promise.all(
    cells.map(async ({ state, command: { commandId } }) => {
      if (state === 'ack') await queue.acknowledge(commandId, agentId, epoch);
      if (state === 'completed') await queue.finish(commandId, agentId, COMPLETED, epoch);
      if (state === 'failed') await queue.finish(commandId, agentId, FAILED, epoch);
    }),
  );
  await enqueue((state) => state === 'pending');
  return { agentId, epoch, cells };
}

/** Brings a command into each state, lets the event happen, and names each deviation from the table. */
async function driveEvent(fixture: CommandQueueFixture, event: CommandEvent): Promise<string[]> {
  const { queue, nextEpoch, maxAttempts } = fixture;
  const { agentId, epoch, cells } = await bring(fixture, event);
  let current = epoch;
  const reconnect = async (): Promise<void> => {
    current = (await nextEpoch(agentId)).epoch;
    await queue.claim(agentId, current, 0);
  };
  /** Everything that was handed out here, by session: ids and actions. */
  const handedOut = new Map<string, Map<string, Action>>();
  const claim = async (at: number): Promise<string[]> => {
    const claimed = await queue.claim(agentId, at, 2 * cells.length);
    for (const { sessionId, commandId, action } of claimed)
      handedOut.set(
        sessionId,
        (handedOut.get(sessionId) ?? new Map<string, Action>()).set(commandId, action),
      );
    return claimed.map(({ commandId }) => commandId);
  };
  const each = async (ask: (command: NewCommand) => Promise<unknown>): Promise<Answers> => {
    const answers: Answers = new Map();
    const outcomes = cells.map(async ({ command }) => {
      const answer = await ask(command).catch((error: { code?: unknown }) => error.code ?? error);
      answers.set(command.commandId, answer);
    });
    await Promise.all(outcomes);
    return answers;
  };
  const mayGet = (ids: readonly string[]): Answers => new Map(ids.map((id) => [id, 'handed_out']));
  const ids = cells.map(({ command }) => command.commandId);

  const fire: Record<CommandEvent, () => Promise<Answers>> = {
    async claim() {
      await reconnect();
      return mayGet(await claim(current));
    },
    claim_again: async () => mayGet(await claim(epoch)),
    async claim_by_replaced() {
      await reconnect();
      return mayGet(await claim(epoch));
    },
    async claim_to_the_limit() {
      for (let attempt = 0; attempt <= maxAttempts; attempt++) {
        await reconnect();
        await claim(current);
      }
      return new Map();
    },
    async recall() {
      await queue.recall(agentId, epoch, []);
      return new Map();
    },
    async recall_of_others() {
      await queue.recall(agentId, epoch, ids);
      return new Map();
    },
    async resume() {
      await reconnect();
      const resumed = await queue.resume(agentId, current, ids);
      return new Map(resumed.map((id) => [id, 'resumed']));
    },
    acknowledge: () => each(({ commandId }) => queue.acknowledge(commandId, agentId, epoch)),
    async acknowledge_by_replaced() {
      await reconnect();
      return each(({ commandId }) => queue.acknowledge(commandId, agentId, epoch));
    },
    complete: () => each(({ commandId }) => queue.finish(commandId, agentId, COMPLETED, epoch)),
    fail: () => each(({ commandId }) => queue.finish(commandId, agentId, FAILED, epoch)),
    async complete_by_replaced() {
      await reconnect();
      return each(({ commandId }) => queue.finish(commandId, agentId, COMPLETED, epoch));
    },
    complete_by_other: () => each(({ commandId }) => queue.finish(commandId, 'another-agent', COMPLETED)),
    async expire() {
      const expired = await queue.expire(Date.now());
      return new Map(expired.map(({ commandId }) => [commandId, 'expired']));
    },
    stop: () =>
      each(async ({ sessionId }) => {
        const stop = { commandId: randomUUID(), agentId, sessionId, generation: 1, payload: {} };
        await queue.enqueue({ ...stop, action: 'stop_session', deadline: Date.now() + HOUR_MS });
      }),
    enqueue_again: () => each(async (command) => (await queue.enqueue(command)).commandId),
  };

  const answers = await fire[event]();
  // Before the next claim: it would move what it hands out.
  const after = await Promise.all(cells.map(({ command }) => queue.enqueue(command)));
  const next = new Set(await claim(current));
  const isNewer = current !== epoch && event.endsWith('_by_replaced');

  return cells.flatMap(({ state, command: { commandId, sessionId, action } }, at) => {
    const outcome: CommandOutcome = COMMAND_MACHINE.table[state][event];
    const begins = UNDONE_BY[action] !== undefined;
    const to = (begins ? undefined : outcome.toOfOthers) ?? outcome.to;
    const does = outcome.does ?? [];
    const isOpen = to !== 'completed' && to !== 'failed';
    const followed = [...(handedOut.get(sessionId) ?? [])].flatMap(([id, what]) =>
      id === commandId || event === 'stop' ? [] : [what],
    );
    const undo = does.includes('undone') ? UNDONE_BY[action] : undefined;
    const expected = {
      to,
      answer: answerOf(event, { commandId, does, changes: to !== state, isOpen }),
      getsItNext: isNewer ? isOpen : to === 'pending' || does.includes('given_back'),
      followed: undo === undefined ? [] : [undo],
    };
    const seen = {
      to: after[at]?.state,
      answer: answers.get(commandId),
      getsItNext: next.has(commandId),
      followed,
    };
    const [told, found] = [JSON.stringify(expected), JSON.stringify(seen)];
    return told === found ? [] : [`${event} of a ${action} that is ${state}: ${found}, expected ${told}`];
  });
}

/** What the caller of the event gets for this command; `undefined` where nothing is said of it. */
function answerOf(
  event: CommandEvent,
  is: { commandId: string; does: readonly string[]; changes: boolean; isOpen: boolean },
): unknown {
  if (is.does.includes('refused')) return 'stale_epoch';
  if (is.does.includes('handed_out')) return 'handed_out';
  if (event === 'complete' || event === 'fail' || event === 'complete_by_other') return is.changes;
  if (event === 'expire') return is.changes ? 'expired' : undefined;
  if (event === 'resume') return is.isOpen ? 'resumed' : undefined;
  if (event === 'enqueue_again') return is.commandId;
  return undefined;
}

/**
 * Drives a queue through every cell of the table, one event after the other and then all at once: a queue may write
 * together what comes together, in another way.
 */
export async function driveCommandCells(fixture: CommandQueueFixture): Promise<void> {
  const deviations: string[] = [];
  for (const event of EVENTS) deviations.push(...(await driveEvent(fixture, event)));
  const together = await Promise.all(EVENTS.map((event) => driveEvent(fixture, event)));
  assert.deepEqual([...deviations, ...together.flat().map((text) => `at once: ${text}`)], []);
}
