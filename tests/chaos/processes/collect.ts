import { readFile } from 'node:fs/promises';
import type { PlatformSession } from '@streamspace/agent-core';
import type { Database } from '@streamspace/control-plane';
import { heldEvents, stateWanted, type EventOf, type History, type Timed } from '../history.js';
import { readCommandLog } from '../support/command-log.js';

/** Sessions that are not what was last asked for, and commands without an outcome: how many there are of each. */
export async function unsettled(
  database: Database,
  promised: readonly EventOf<'requested'>[],
): Promise<{ commands: number; sessions: number }> {
  const open = await database.query<{ count: number }>(
    `select count(*) from agent_commands where status not in ('completed', 'failed')`,
  );
  const states = await readStates(database);
  const wanted = new Map(promised.map((promise) => [promise.sessionId, stateWanted(promise.wanted)]));
  const state = new Map(states.map((one) => [one.sessionId, one.state]));
  return {
    commands: open.rows[0]!.count,
    sessions: [...wanted].filter(([sessionId, want]) => state.get(sessionId) !== want).length,
  };
}

/** What others than the database say of a run that is over. */
export interface Witnesses {
  readonly promised: readonly EventOf<'requested'>[];
  /** What the platform carried out, in its order. */
  readonly effects: readonly Timed<EventOf<'effect'>>[];
  /** What the platform lists in the end. */
  readonly held: readonly PlatformSession[];
}

/** Everything that is known of a run that is over, of whose database `logCommands` was told before its first command. */
export async function collect(database: Database, { promised, effects, held }: Witnesses): Promise<History> {
  // At the same moment, what makes room for an effect comes before it; sorting keeps each log's own order.
  const timed = [...(await readCommandLog(database)), ...effects].sort((a, b) => a.at - b.at);
  return [
    ...promised,
    ...timed.map(({ event }) => event),
    ...(await readStates(database)),
    ...heldEvents(held),
  ];
}

async function readStates(database: Database): Promise<EventOf<'state'>[]> {
  const { rows } = await database.query<{ id: string; state: string; generation: number }>(
    'select id, state, generation from sessions',
  );
  return rows.map(({ id, state, generation }) => ({ kind: 'state', sessionId: id, state, generation }));
}

/** The file that the platform's process writes. */
export async function readEffects(logPath: string): Promise<Timed<EventOf<'effect'>>[]> {
  const lines = (await readFile(logPath, 'utf8')).split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as Timed<EventOf<'effect'>>);
}
