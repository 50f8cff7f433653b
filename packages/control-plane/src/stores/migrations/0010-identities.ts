import type { Migration } from './migration.js';

/**
 * Users whose accounts another application keeps: found by issuer and subject, without a password. Replicas of
 * earlier releases treat a user without a password as unable to log in.
 */
export const identities: Migration = {
  version: '0010_identities',
  sql: `
alter table users add column if not exists issuer text;
alter table users add column if not exists subject text;
alter table users alter column password_hash drop not null;
create unique index if not exists users_identity on users (issuer, subject) where issuer is not null;
`,
};
