-- Version 1 with UUIDs, on which the first guide's tables were made by hand: commands without counters and reasons.
create table sessions (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null,
  template varchar(255) not null,
  status varchar(50) default 'pending',
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
  updated_at timestamp default now()
);
create index idx_agents_agent_id on agents (agent_id);
create index idx_agents_platform on agents (platform);
create index idx_agents_status on agents (status);
create index idx_agents_last_heartbeat on agents (last_heartbeat);
create table agent_commands (
  id uuid primary key default gen_random_uuid(),
  agent_id uuid references agents (id) on delete cascade,
  session_id uuid references sessions (id) on delete cascade,
  command_type varchar(50) not null,
  command_data jsonb,
  status varchar(50) default 'pending',
  result jsonb,
  created_at timestamp default now(),
  sent_at timestamp,
  completed_at timestamp
);
create index idx_agent_commands_agent_id on agent_commands (agent_id);
create index idx_agent_commands_session_id on agent_commands (session_id);
create index idx_agent_commands_status on agent_commands (status);
alter table sessions add column agent_id uuid references agents (id) on delete set null;
alter table sessions add column platform varchar(50);
alter table sessions add column platform_metadata jsonb;
create index idx_sessions_agent_id on sessions (agent_id);
create index idx_sessions_platform on sessions (platform);

insert into agents (id, agent_id, platform, status, capacity, websocket_conn_id, last_heartbeat) values
  ('33333333-0000-4000-8000-000000000001', 'k8s-one', 'kubernetes', 'online', '{"max_sessions": 100}', 'ws-1', '2025-03-01 10:00:00'),
  ('33333333-0000-4000-8000-000000000002', 'docker-one', 'docker', 'offline', null, null, null);
insert into sessions (id, user_id, template, status, agent_id, platform, platform_metadata, created_at) values
  ('11111111-0000-4000-8000-000000000001', '22222222-0000-4000-8000-000000000001', 'firefox', 'running',
   '33333333-0000-4000-8000-000000000001', 'docker', '{"container": "c1"}', '2025-02-01 10:00:00'),
  ('11111111-0000-4000-8000-000000000002', '22222222-0000-4000-8000-000000000001', 'desktop', 'pending', null, null, null, '2025-02-02 10:00:00');
insert into agent_commands (id, agent_id, session_id, command_type, status, created_at) values
  ('44444444-0000-4000-8000-000000000001', '33333333-0000-4000-8000-000000000001', '11111111-0000-4000-8000-000000000001', 'start_session', 'completed', '2025-02-01 10:00:01'),
  ('44444444-0000-4000-8000-000000000002', '33333333-0000-4000-8000-000000000001', '11111111-0000-4000-8000-000000000001', 'hibernate_session', 'sent', '2025-02-01 11:00:00'),
  ('44444444-0000-4000-8000-000000000003', null, null, 'stop_session', 'pending', '2025-02-01 12:00:00');
