import type { Migration } from './migration.js';

/** Sessions that are to be hibernated, that something else looks after, or that wait for an agent. */
export const placement: Migration = {
  version: '0004_placement',
  sql: `
alter table sessions drop constraint if exists sessions_desired_state_check;
alter table sessions add constraint sessions_desired_state_check
  check (desired_state in ('running', 'hibernated', 'terminated', 'external'));
-- Where it may go: {platform, region, labels, unisolated}.
alter table sessions add column if not exists placement jsonb not null default '{}';
-- Until when a session without an agent waits for one.
alter table sessions add column if not exists wait_until timestamptz;
create index if not exists sessions_hibernated on sessions (agent_id) where desired_state = 'hibernated';
create index if not exists sessions_waiting on sessions (created_at) where agent_id is null and wait_until is not null;
`,
};
