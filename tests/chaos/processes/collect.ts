import { readFile } from 'node:fs/promises';
import type { Database } from '@streamspace/control-plane';
import type { EventOf, History, HistoryEvent } from '../history.js';

interface CommandRow extends Readonly<Record<string, unknown>> {
  command_id: string;
  session_id: string;
  seq: number;
  generation: number;
  action: EventOf<'accepted'>['action'];
  status: string;
  deadline: Date;
  error_code: string | null;
  completed_at: Date | null;
}

/** Sessions that are not what was last asked for, and commands without an outcome: how many there are of each. */
export async function unsettled(
  database: Database,
  promised: readonly EventOf<'requested'>[],
): Promise<{ commands: number; sessions: number }> {
  const open = await database.query<{ count: number }>(
    `select count(*) from agent_commands where status not in ('completed', 'failed')`,
  );
  const states = await readStates(database);
  const wanted = new Map(promised.map((promise) => [promise.sessionId, promise.wanted]));
  const state = new Map(states.map((one) => [one.sessionId, one.state]));
  return {
    commands: open.rows[0]!.count,
    sessions: [...wanted].filter(([sessionId, want]) => state.get(sessionId) !== want).length,
  };
}

/** Everything that database and platform say of a run that is over; the platform's word is a file of effects. */
export async function collect(
  database: Database,
  logPath: string,
  promised: readonly EventOf<'requested'>[],
): Promise<History> {
  return collectFrom(database, await readEffects(logPath), promised);
}

export async function collectFrom(
  database: Database,
  effects: readonly EventOf<'effect'>[],
  promised: readonly EventOf<'requested'>[],
): Promise<History> {
  const { rows } = await database.query<CommandRow>(
    `select command_id, session_id, seq, generation, command_type as action, status, deadline, error_code, completed_at
       from agent_commands order by session_id, seq`,
  );
  const accepted = rows.map((row): HistoryEvent => {
    const { seq, generation, action } = row;
    const deadline = row.deadline.getTime();
    return {
      kind: 'accepted',
      commandId: row.command_id,
      sessionId: row.session_id,
      seq,
      generation,
      action,
      deadline,
    };
  });
  const outcomes = rows.flatMap((row): HistoryEvent[] => {
    if (row.status !== 'completed' && row.status !== 'failed') return [];
    const code = row.error_code === null ? {} : { code: row.error_code };
    const at = row.completed_at?.getTime() ?? 0;
    return [{ kind: 'outcome', commandId: row.command_id, state: row.status, ...code, at }];
  });
  return [
    ...promised,
    ...accepted,
    ...outcomes,
    ...effects,
    ...(await readStates(database)),
    ...heldAfter(effects),
  ];
}

async function readStates(database: Database): Promise<EventOf<'state'>[]> {
  const { rows } = await database.query<{ id: string; state: string; generation: number }>(
    'select id, state, generation from sessions',
  );
  return rows.map(({ id, state, generation }) => ({ kind: 'state', sessionId: id, state, generation }));
}

async function readEffects(logPath: string): Promise<EventOf<'effect'>[]> {
  const lines = (await readFile(logPath, 'utf8')).split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as EventOf<'effect'>);
}

function heldAfter(effects: readonly EventOf<'effect'>[]): EventOf<'held'>[] {
  const held = new Map<string, number>();
  for (const { sessionId, action, generation } of effects)
    if (action === 'start_session') held.set(sessionId, generation);
    else held.delete(sessionId);
  return [...held].map(([sessionId, generation]) => ({ kind: 'held', sessionId, generation }));
}
