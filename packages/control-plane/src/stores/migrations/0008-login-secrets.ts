import type { Migration } from './migration.js';

/**
 * The hash of a login's second secret. Logins of before have none, and replicas of an earlier release go on making such:
 * they are refused here, and their users log in again.
 */
export const loginSecrets: Migration = {
  version: '0008_login_secrets',
  sql: `
alter table logins add column if not exists secret_hash bytea;
create index if not exists users_username_ascii on users (lower(username collate "C"));
`,
};
