import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { ObservedState } from '@streamspace/protocol';
import type { Outcome } from '@streamspace/hub';
import { hashToken } from '../auth/secrets.js';
import { Reconciler } from '../domain/reconciler.js';
import {
  SESSION_MACHINE,
  SESSION_ROWS,
  type SessionMachineEvent,
  type SessionOutcome,
} from '../domain/session-machine.js';
import type { Fixtures } from './fixtures.js';
import {
  misplaced,
  SESSION_EVENTS,
  snapshots,
  stageSessions,
  stateOf,
  type SessionCell,
  type SessionSnapshot,
} from './session-stage.js';

const COMPLETED: Outcome = { state: 'completed' };
const failed = (code: string): Outcome => ({ state: 'failed', error: 'It did not work.', code });
/** Of commands that the test adds, which the event did not cause. */
const ADDED = 'added-';
/** A round of placing has bounded work: other sessions that wait may come first. */
const PLACING_ROUNDS = 20;

/** Lets an event happen to a session in each state. Resolves with the codes of refusals, by session. */
type Fire = (cells: readonly SessionCell[]) => Promise<Map<string, string>>;

function firing(on: Fixtures, userId: string, before: ReadonlyMap<string, SessionSnapshot>) {
  const reconciler = new Reconciler({
    sessions: on.sessions,
    wakeups: { sessionChanged: () => undefined, commandsWaiting: () => undefined },
    room: { shortage: async () => undefined },
    onEvent: () => undefined,
  });
  const each =
    (ask: (cell: SessionCell) => Promise<unknown>): Fire =>
    async (cells) => {
      const refused = new Map<string, string>();
      const asked = cells.map(async (cell) => {
        await ask(cell).catch((error: { code?: string }) =>
          refused.set(cell.sessionId, error.code ?? String(error)),
        );
      });
      await Promise.all(asked);
      return refused;
    };
  const once =
    (happen: (cells: readonly SessionCell[]) => Promise<unknown>): Fire =>
    async (cells) => {
      await happen(cells);
      return new Map();
    };
  const generationOf = ({ sessionId }: SessionCell): number => before.get(sessionId)!.generation;
  /** Of the latest command; of none where the session has none. */
  const finishLatest = (outcome: Outcome): Fire =>
    each(({ sessionId, agent }) => {
      const latest = before.get(sessionId)!.commands.at(-1)?.id ?? 'none';
      return on.commands.finish(latest, agent.agentId, outcome, agent.epoch);
    });
  const completeAdded = (idOf: (cell: SessionCell) => { agentId: string; generation: number }): Fire =>
    each(async (cell) => {
      const { agentId, generation } = idOf(cell);
      const commandId = `${ADDED}${randomUUID()}`;
      const deadline = Date.now() + 3_600_000;
      const start = { commandId, agentId, sessionId: cell.sessionId, generation, payload: {}, deadline };
      await on.commands.enqueue({ ...start, action: 'start_session' });
      assert.ok(await on.commands.finish(commandId, agentId, COMPLETED));
    });
  const inventory = (state: ObservedState | undefined, ahead = 0): Fire =>
    once(async (cells) => {
      const { agentId, epoch } = cells[0]!.agent;
      const sessions = cells.flatMap((cell) =>
        state
          ? { sessionId: cell.sessionId, generation: generationOf(cell) + ahead, commandId: 'x', state }
          : [],
      );
      await reconciler.inventory({
        agentId,
        epoch,
        sessions,
        changedSince: new Set(),
        isCurrent: () => true,
      });
    });
  const status = (state: ObservedState): Fire =>
    each((cell) => {
      const { agentId, epoch } = cell.agent;
      return reconciler.status({
        agentId,
        epoch,
        sessionId: cell.sessionId,
        generation: generationOf(cell),
        state,
      });
    });
  const place = once(async (cells) => {
    const waiting = cells.find(({ state }) => state === 'waiting')!.sessionId;
    for (let round = 0; round < PLACING_ROUNDS; round++) {
      await on.sessions.placeWaiting();
      const now = (await snapshots(on, [waiting])).get(waiting)!;
      if (stateOf(now) !== 'waiting') return;
    }
  });
  const create = (requestHash: Uint8Array): Fire =>
    each(({ sessionId, agent: { platform } }) =>
      on.sessions.create({ ...on.request({ userId, platform }), id: sessionId, requestHash }),
    );
  const elsewhere = on.addAgent();

  const fire: Record<SessionMachineEvent, Fire> = {
    create_again: create(hashToken('request')),
    create_differently: create(hashToken('another request')),
    stop: each(({ sessionId }) => on.sessions.stop(sessionId)),
    hibernate: each(({ sessionId }) => on.sessions.hibernate(sessionId)),
    wake: each(({ sessionId }) => on.sessions.wake(sessionId)),
    place,
    wait_over: place,
    hand_out: once((cells) => {
      const { agentId, epoch } = cells[0]!.agent;
      return on.commands.claim(agentId, epoch, cells.length);
    }),
    complete: finishLatest(COMPLETED),
    fail: finishLatest(failed('command_failed')),
    fail_gone: finishLatest(failed('session_not_found')),
    give_up: once(() => on.commands.expire(Date.now())),
    complete_older: completeAdded((cell) => ({
      agentId: cell.agent.agentId,
      generation: generationOf(cell) - 1,
    })),
    async complete_elsewhere(cells) {
      const { agentId } = await elsewhere;
      return completeAdded((cell) => ({ agentId, generation: generationOf(cell) }))(cells);
    },
    inventory_absent: inventory(undefined),
    inventory_starting: inventory('starting'),
    inventory_running: inventory('running'),
    inventory_hibernated: inventory('hibernated'),
    inventory_stopped: inventory('stopped'),
    inventory_failed: inventory('failed'),
    inventory_newer: inventory('running', 1),
    status_failed: status('failed'),
    status_hibernated: status('hibernated'),
    async status_by_replaced(cells) {
      await on.reconnect(cells[0]!.agent);
      return status('failed')(cells);
    },
  };
  return fire;
}

/** What the event did, in the words of the table. */
function effects(before: SessionSnapshot, after: SessionSnapshot, refused: string | undefined): string[] {
  const known = new Set(before.commands.map(({ id }) => id));
  return [
    ...after.commands.filter(({ id }) => !known.has(id) && !id.startsWith(ADDED)).map(({ type }) => type),
    ...(after.generation > before.generation ? ['next_generation'] : []),
    ...(after.error_code !== null && after.error_code !== before.error_code ? ['reason'] : []),
    ...(refused === undefined ? [] : [refused]),
  ].sort();
}

/** Drives sessions in the database through every cell of the table. */
export async function driveSessionCells(on: Fixtures): Promise<void> {
  const { userId, cells } = await stageSessions(on);
  const ids = cells.map(({ sessionId }) => sessionId);
  const before = await snapshots(on, ids);
  assert.deepEqual(misplaced(cells, before), []);
  const fire = firing(on, userId, before);
  const refused = new Map<string, string>();
  for (const event of SESSION_EVENTS) {
    const concerned = cells.filter((cell) => cell.event === event);
    for (const [id, code] of await fire[event](concerned)) refused.set(id, code);
  }
  const after = await snapshots(on, ids);
  const deviations = cells.flatMap(({ state, event, sessionId }) => {
    const outcome: SessionOutcome = SESSION_MACHINE.table[state][event];
    const row = after.get(sessionId)!;
    const { state: stored, desired } = SESSION_ROWS[outcome.to];
    const expected = [outcome.to, stored, desired, ...[...(outcome.does ?? [])].sort()].join(' ');
    const seen = [
      stateOf(row),
      row.state,
      row.desired_state,
      ...effects(before.get(sessionId)!, row, refused.get(sessionId)),
    ].join(' ');
    return seen === expected ? [] : [`${event} of one that is ${state}: ${seen}, expected ${expected}`];
  });
  assert.deepEqual(deviations, []);
}
