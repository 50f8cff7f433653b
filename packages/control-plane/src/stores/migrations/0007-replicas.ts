import type { Migration } from './migration.js';

/**
 * One row per start of a control plane, and which start holds each agent's connection.
 *
 * Versions before this one write `websocket_conn_id` and `pod_name` and leave `boot_id` as it was: `boot_conn_id` says
 * which connection `boot_id` belongs to.
 */
export const replicas: Migration = {
  version: '0007_replicas',
  sql: `
create table if not exists replicas (
  boot_id uuid primary key,
  pod_name text not null,
  peer_address text,
  started_at timestamptz not null default now(),
  last_beat timestamptz not null default now(),
  -- Since when no beat is missing: only such a replica judges others.
  beating_since timestamptz not null default now()
) with (fillfactor = 50);

alter table agents add column if not exists boot_id uuid;
alter table agents add column if not exists boot_conn_id text;
-- The newest epoch whose connection is known to be gone: a late heartbeat of it changes nothing.
alter table agents add column if not exists closed_epoch bigint not null default 0;
`,
};
