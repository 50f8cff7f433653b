import type { Migration } from './migration.js';

/**
 * Sessions that their agent was told to end and may hold still: placement counts them.
 *
 * A column of its own, not a condition on `state`: PostgreSQL compares values, so that a session that comes to run is
 * updated in place as before (see 0005), and only its end touches the index.
 */
export const endingSessions: Migration = {
  version: '0006_ending_sessions',
  sql: `
alter table sessions add column if not exists is_ending boolean generated always as (state = 'terminating') stored;
create index if not exists sessions_ending on sessions (agent_id) where is_ending;
`,
};
