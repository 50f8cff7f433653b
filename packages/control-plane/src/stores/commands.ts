import { randomUUID } from 'node:crypto';
import type { Command, NewCommand } from '@streamspace/hub';
import type { Queryable, Row } from './database.js';
import { toJsonText } from './storable.js';

/** Commands that have no outcome yet. */
export const OPEN = `('pending', 'sent', 'ack')`;

/** Columns of a command `c`, with its agent `a`, as {@link toCommand} reads them. */
export const COMMAND_COLUMNS = `c.command_id, a.agent_id, c.session_id, c.seq, c.generation, c.command_type,
  c.command_data, c.status, c.retry_count, c.deadline`;

export interface CommandRow extends Row {
  command_id: string;
  agent_id: string;
  session_id: string;
  seq: number;
  generation: number;
  command_type: Command['action'];
  command_data: Record<string, unknown>;
  status: Command['state'];
  retry_count: number;
  deadline: Date;
}

export const toCommand = (row: CommandRow): Command => ({
  commandId: row.command_id,
  agentId: row.agent_id,
  sessionId: row.session_id,
  seq: row.seq,
  generation: row.generation,
  action: row.command_type,
  payload: row.command_data,
  state: row.status,
  attempts: row.retry_count,
  deadline: row.deadline.getTime(),
});

export const newCommandId = (): string => randomUUID();

/**
 * Gives a command the session's next number and writes it. The session's row is locked from here to the end of the
 * transaction, so numbers become visible in their order.
 */
export async function insertCommand(tx: Queryable, command: NewCommand): Promise<Command> {
  const { rows } = await tx.query<CommandRow>(
    `with numbered as (
       update sessions set command_seq = command_seq + 1 where id = $3 returning command_seq
     ), inserted as (
       insert into agent_commands
         (command_id, agent_id, session_id, seq, generation, command_type, command_data, deadline)
       select $1, (select id from agents where agent_id = $2), $3, command_seq, $4, $5, $6::jsonb, $7::timestamptz
         from numbered
       returning *
     )
     select ${COMMAND_COLUMNS} from inserted c join agents a on a.id = c.agent_id`,
    [
      command.commandId,
      command.agentId,
      command.sessionId,
      command.generation,
      command.action,
      toJsonText(command.payload),
      new Date(command.deadline),
    ],
  );
  const row = rows[0];
  if (!row) throw new Error(`there is no session ${command.sessionId} to give a command to`);
  return toCommand(row);
}
