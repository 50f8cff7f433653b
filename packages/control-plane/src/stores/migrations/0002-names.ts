import type { Migration } from './migration.js';

/**
 * Tables, columns and indexes that StreamSpace's own schema has and programs around it may read. What changes with each
 * heartbeat or each command stays without an index: PostgreSQL then updates such rows in place.
 */
export const names: Migration = {
  version: '0002_names',
  sql: `
alter table agents add column if not exists cluster_id text;
-- Copies of what agent_heartbeats has, brought up to date about once a minute.
alter table agents add column if not exists active_sessions integer default 0;
alter table agents add column if not exists last_heartbeat timestamptz;
alter table agents set (fillfactor = 70);
create index if not exists idx_agents_platform on agents (platform);
create index if not exists idx_agents_region on agents (region);
create index if not exists idx_agents_cluster_id on agents (cluster_id);

alter table sessions add column if not exists cluster_id text;
create index if not exists idx_sessions_agent_id on sessions (agent_id);
create index if not exists idx_sessions_platform on sessions (platform);
create index if not exists idx_sessions_tags on sessions using gin (tags);

alter table agent_commands add column if not exists id uuid not null default gen_random_uuid();
create index if not exists idx_agent_commands_created_at on agent_commands using brin (created_at);

create table if not exists platform_controllers (
  id uuid primary key default gen_random_uuid(),
  controller_type text not null,
  name text not null,
  endpoint text,
  region text,
  status text default 'offline',
  cluster_info jsonb,
  capabilities jsonb,
  last_heartbeat timestamptz,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  unique (controller_type, name)
);
create index if not exists idx_platform_controllers_type on platform_controllers (controller_type);
create index if not exists idx_platform_controllers_status on platform_controllers (status);

create table if not exists redis_agent_connections (
  id uuid primary key default gen_random_uuid(),
  agent_id text not null,
  pod_id text not null,
  websocket_conn_id text not null,
  connected_at timestamptz default now(),
  last_heartbeat timestamptz default now(),
  unique (agent_id, websocket_conn_id)
);
create index if not exists idx_redis_agent_connections_agent_id on redis_agent_connections (agent_id);
create index if not exists idx_redis_agent_connections_pod_id on redis_agent_connections (pod_id);

create table if not exists leader_election_leases (
  id uuid primary key default gen_random_uuid(),
  lease_name text not null unique,
  holder_identity text,
  acquired_time timestamptz,
  renew_time timestamptz,
  lease_duration_seconds integer default 15,
  platform text,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create index if not exists idx_leader_election_leases_name on leader_election_leases (lease_name);
create index if not exists idx_leader_election_leases_holder on leader_election_leases (holder_identity);

insert into schema_migrations (version) values ('v2.0.0-agents'), ('v2.0.0-beta1-ha') on conflict (version) do nothing;
`,
};
