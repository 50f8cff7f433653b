import type { Command, NewCommand } from '@streamspace/hub';
import type { Database } from '@streamspace/control-plane';
import type { World } from './world.js';

/** The steps of a command's life, each on disk when it resolves. */
export interface Path {
  readonly name: string;
  enqueue(command: NewCommand): Promise<unknown>;
  claim(agentId: string, epoch: number, limit: number): Promise<readonly Pick<Command, 'commandId'>[]>;
  /** The agent acknowledges, and completes a turn of the event loop later; both are on disk when it resolves. */
  carryOut(commandId: string, agentId: string): Promise<unknown>;
}

/** StreamSpace's own queue. */
export function queuePath({ stores: { commands }, agents }: World): Path {
  const epochs = new Map(agents.map(({ agentId, epoch }) => [agentId, epoch]));
  return {
    name: 'CommandQueue',
    enqueue: (command) => commands.enqueue(command),
    claim: (agentId, epoch, limit) => commands.claim(agentId, epoch, limit),
    async carryOut(commandId, agentId) {
      const epoch = epochs.get(agentId);
      const acknowledged = commands.acknowledge(commandId, agentId, epoch);
      await new Promise(setImmediate);
      // As in the hub: what comes next from the agent does not wait until the acknowledgement is written.
      await commands.finish(commandId, agentId, { state: 'completed', result: {} }, epoch);
      await acknowledged;
    },
  };
}

/**
 * The control: the same rows changed in the same way, a row at a time. Each step of each command is one autocommit
 * statement, as plain as it can be, over a pool of connections.
 */
export function rowPath(database: Database): Path {
  return {
    name: 'row at a time',
    enqueue: (command) =>
      database.query(
        `with numbered as (
           update sessions set command_seq = command_seq + 1 where id = $3 returning command_seq)
         insert into agent_commands
           (command_id, agent_id, session_id, seq, generation, command_type, command_data, deadline)
         select $1, (select id from agents where agent_id = $2), $3, command_seq, $4, $5, $6::jsonb, $7
           from numbered`,
        [
          command.commandId,
          command.agentId,
          command.sessionId,
          command.generation,
          command.action,
          JSON.stringify(command.payload),
          new Date(command.deadline),
        ],
      ),
    async claim(agentId, epoch) {
      const { rows } = await database.query<{ command_id: string }>(
        `update agent_commands set status = 'sent', sent_epoch = $2, sent_at = now(), retry_count = retry_count + 1
          where command_id = (
            select c.command_id from agents a join agent_commands c on c.agent_id = a.id
             where a.agent_id = $1 and a.epoch = $2 and c.status in ('pending', 'sent', 'ack')
               and (c.sent_epoch is null or c.sent_epoch < $2)
             order by c.created_at, c.command_id limit 1 for update of c skip locked)
        returning command_id`,
        [agentId, epoch],
      );
      return rows.map(({ command_id }) => ({ commandId: command_id }));
    },
    async carryOut(commandId) {
      await database.query(
        `update agent_commands set status = 'ack', acked_at = now() where command_id = $1 and status = 'sent'`,
        [commandId],
      );
      await database.query(
        `with done as (
           update agent_commands set status = 'completed', completed_at = now(), result = $2::jsonb
            where command_id = $1 and status in ('pending', 'sent', 'ack')
           returning session_id, generation)
         update sessions s set state = 'running', error_code = null, error_message = null, updated_at = now()
           from done d where s.id = d.session_id and s.generation = d.generation and s.state = 'pending'`,
        [commandId, '{}'],
      );
    },
  };
}
