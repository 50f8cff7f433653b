import type { Migration } from './migration.js';

/**
 * The order of session lists, for all users and for one: those that have not ended first, each part the newest first.
 *
 * The column is generated, in place of an index on `state`, for the reason that 0006 gives: only a session's end and its
 * re-creation touch the indexes.
 */
export const sessionLists: Migration = {
  version: '0009_session_lists',
  sql: `
alter table sessions add column if not exists is_living boolean
  generated always as (state not in ('terminated', 'failed')) stored;
create index if not exists sessions_listed on sessions (is_living, created_at, id);
create index if not exists sessions_listed_by_user on sessions (user_id, is_living, created_at, id);
`,
};
