import type { Database } from '@streamspace/control-plane';
import type { EventOf, Timed } from '../history.js';

/*
 * The table of commands has their last state alone. The triggers write down each state that a command came to be in, in
 * the transaction that made it so, and thus before anybody could act upon it.
 */
const TRIGGERS = [
  `create table if not exists chaos_command_log (
     n bigserial primary key,
     at timestamptz not null default clock_timestamp(),
     command_id text not null, session_id text not null, seq bigint not null, generation bigint not null,
     command_type text not null, deadline timestamptz not null, status text not null, error_code text,
     is_new boolean not null)`,
  `create or replace function chaos_note_command() returns trigger language plpgsql as $$
   begin
     insert into chaos_command_log
       (command_id, session_id, seq, generation, command_type, deadline, status, error_code, is_new)
     values (new.command_id, new.session_id, new.seq, new.generation, new.command_type, new.deadline, new.status,
             new.error_code, tg_op = 'INSERT');
     return null;
   end $$`,
  `create or replace trigger chaos_command_made after insert on agent_commands
     for each row execute function chaos_note_command()`,
  `create or replace trigger chaos_command_changed after update on agent_commands
     for each row when (old.status is distinct from new.status or old.error_code is distinct from new.error_code)
     execute function chaos_note_command()`,
];

interface LogRow extends Readonly<Record<string, unknown>> {
  at: Date;
  command_id: string;
  session_id: string;
  seq: number;
  generation: number;
  command_type: EventOf<'accepted'>['action'];
  deadline: Date;
  status: string;
  error_code: string | null;
  is_new: boolean;
}

/** From now on everything that becomes of a command is written down; the schema has to be there. */
export async function logCommands(database: Database): Promise<void> {
  for (const statement of TRIGGERS) await database.query(statement);
}

/** What became of every command since, in the order in which it came to be. */
export async function readCommandLog(
  database: Database,
): Promise<Timed<EventOf<'accepted'> | EventOf<'outcome'>>[]> {
  const { rows } = await database.query<LogRow>(
    `select date_trunc('milliseconds', at) as at, command_id, session_id, seq, generation, command_type, deadline, status,
            error_code, is_new
       from chaos_command_log order by n`,
  );
  const ended = new Set<string>();
  return rows.flatMap((row): Timed<EventOf<'accepted'> | EventOf<'outcome'>>[] => {
    const at = row.at.getTime();
    const { command_id: commandId, status } = row;
    if (row.is_new) return [{ at, event: accepted(row) }];
    const isEnd = status === 'completed' || status === 'failed';
    // What is under way has no outcome; what is so again has lost the one that it had.
    if (!isEnd && !ended.has(commandId)) return [];
    ended.add(commandId);
    const code = row.error_code === null ? {} : { code: row.error_code };
    return [{ at, event: { kind: 'outcome', commandId, state: isEnd ? status : 'open', ...code, at } }];
  });
}

function accepted(row: LogRow): EventOf<'accepted'> {
  const { command_id: commandId, session_id: sessionId, seq, generation, command_type: action } = row;
  return {
    kind: 'accepted',
    commandId,
    sessionId,
    seq,
    generation,
    action,
    deadline: row.deadline.getTime(),
  };
}
