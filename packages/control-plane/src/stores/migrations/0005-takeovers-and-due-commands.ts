import type { Migration } from './migration.js';

/**
 * When an agent's connection was taken over by another instance; and commands and sessions that are updated in place.
 *
 * PostgreSQL updates a row in place when its page has room and no column changes that an index mentions, be it in the
 * index's condition only. A command changes its status three times, a session its state: conditions are on
 * `completed_at` and `desired_state` instead, which change once.
 */
export const takeoversAndDueCommands: Migration = {
  version: '0005_takeovers_and_due_commands',
  sql: `
-- The last two times that an instance took the connection from another one.
alter table agents add column if not exists taken_over_at timestamptz;
alter table agents add column if not exists taken_over_before timestamptz;

-- An agent's open commands in the order of sending: the first few of many are found without reading the rest.
create index if not exists agent_commands_due on agent_commands (agent_id, created_at, command_id)
  where completed_at is null;
create index if not exists agent_commands_expiry on agent_commands (deadline) where completed_at is null;
drop index if exists agent_commands_open;
drop index if exists agent_commands_deadline;
alter table agent_commands set (fillfactor = 50);
-- What earlier versions finished without saying when.
update agent_commands set completed_at = coalesce(acked_at, sent_at, created_at)
 where completed_at is null and status in ('completed', 'failed');

create index if not exists sessions_placed on sessions (agent_id) where desired_state = 'running';
drop index if exists sessions_agent_id;
alter table sessions set (fillfactor = 50);
`,
};
