-- Version 1 with UUIDs, on which both of the later guide's files were run: the status was renamed, all times lack a zone.
create table sessions (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null,
  template varchar(255) not null,
  state varchar(50) default 'pending',
  created_at timestamp default now(),
  updated_at timestamp default now()
);
create table agents (
  id uuid primary key default gen_random_uuid(),
  agent_id varchar(255) unique not null,
  platform varchar(50) not null,
  region varchar(100),
  status varchar(50) default 'offline',
  capacity jsonb,
  metadata jsonb,
  websocket_conn_id varchar(255),
  last_heartbeat timestamp,
  created_at timestamp default now(),
  updated_at timestamp default now(),
  cluster_id varchar(255),
  active_sessions int default 0
);
create index idx_agents_agent_id on agents (agent_id);
create index idx_agents_status on agents (status);
create index idx_agents_last_heartbeat on agents (last_heartbeat);
create index idx_agents_cluster_id on agents (cluster_id);
create index idx_agents_active_sessions on agents (active_sessions);
create table agent_commands (
  id uuid primary key default gen_random_uuid(),
  agent_id uuid references agents (id) on delete cascade,
  session_id uuid references sessions (id) on delete cascade,
  command_type varchar(50) not null,
  command_data jsonb,
  status varchar(50) default 'pending',
  result jsonb,
  error_message text,
  retry_count int default 0,
  created_at timestamp default now(),
  sent_at timestamp,
  acked_at timestamp,
  completed_at timestamp
);
create index idx_agent_commands_status on agent_commands (status);
create index idx_agent_commands_created_at on agent_commands (created_at);
alter table sessions add column agent_id uuid references agents (id) on delete set null;
alter table sessions add column platform varchar(50);
alter table sessions add column platform_metadata jsonb;
alter table sessions add column tags jsonb default '[]';
create index idx_sessions_tags on sessions using gin (tags);
create index idx_sessions_state on sessions (state);
create table platform_controllers (
  id uuid primary key default gen_random_uuid(),
  controller_type varchar(50) not null,
  name varchar(255) not null,
  endpoint varchar(500),
  region varchar(100),
  status varchar(50) default 'offline',
  cluster_info jsonb,
  capabilities jsonb,
  last_heartbeat timestamp,
  created_at timestamp default now(),
  updated_at timestamp default now(),
  unique (controller_type, name)
);
create table redis_agent_connections (
  id uuid primary key default gen_random_uuid(),
  agent_id varchar(255) not null,
  pod_id varchar(255) not null,
  websocket_conn_id varchar(255) not null,
  connected_at timestamp default now(),
  last_heartbeat timestamp default now(),
  unique (agent_id, websocket_conn_id)
);
create table schema_migrations (version varchar(50) primary key, applied_at timestamp default now());
create function update_agent_heartbeat() returns trigger language plpgsql as $$ begin new.updated_at = now(); return new; end $$;
create trigger trigger_agents_updated_at before update on agents for each row execute function update_agent_heartbeat();

insert into schema_migrations (version) values ('v2.0.0-agents'), ('v2.0.0-beta1-ha');
insert into agents (id, agent_id, platform, status, capacity, cluster_id, active_sessions) values
  ('33333333-0000-4000-8000-000000000001', 'k8s-one', 'kubernetes', 'draining', '{"max_sessions": 100, "current_sessions": 1}', 'c-1', 1);
insert into sessions (id, user_id, template, state, agent_id, platform, platform_metadata, tags, created_at) values
  ('11111111-0000-4000-8000-000000000001', '22222222-0000-4000-8000-000000000001', 'firefox', 'running',
   '33333333-0000-4000-8000-000000000001', 'kubernetes', '{"pod": "p1"}', '["blue"]', '2025-02-01 10:00:00'),
  ('11111111-0000-4000-8000-000000000002', '22222222-0000-4000-8000-000000000002', 'desktop', 'terminating', null, 'kubernetes', null, null, '2025-02-02 10:00:00');
insert into agent_commands (id, agent_id, session_id, command_type, status, retry_count, acked_at) values
  ('44444444-0000-4000-8000-000000000001', '33333333-0000-4000-8000-000000000001', '11111111-0000-4000-8000-000000000001', 'start_session', 'ack', null, '2025-02-01 10:00:02');
insert into platform_controllers (controller_type, name) values ('kubernetes', 'main');
