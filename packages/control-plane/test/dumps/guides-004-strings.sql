-- The public version 1, on which the later guide's files were run: they fail half way and say that they succeeded.
create table users (id varchar(255) primary key, username varchar(255) unique not null, role varchar(50), password_hash varchar(255));
create table sessions (
  id varchar(255) primary key,
  user_id varchar(255) references users (id),
  template_name varchar(255) not null,
  state varchar(50) default 'pending',
  tags text[],
  created_at timestamp default now(),
  updated_at timestamp default now()
);
create table agents (
  id uuid primary key default gen_random_uuid(),
  agent_id varchar(255) unique not null,
  platform varchar(50) not null,
  status varchar(50) default 'offline',
  capacity jsonb,
  cluster_id varchar(255),
  active_sessions int default 0,
  last_heartbeat timestamp,
  created_at timestamp default now(),
  updated_at timestamp default now()
);
alter table sessions add column agent_id varchar(255);
alter table sessions add column platform varchar(50);
alter table sessions add column platform_metadata jsonb;
create table agent_commands (
  id uuid primary key default gen_random_uuid(),
  command_id varchar(255) unique not null,
  agent_id varchar(255) not null references agents (agent_id),
  session_id varchar(255),
  action varchar(50) not null,
  payload jsonb,
  status varchar(50) default 'pending',
  error_message text,
  created_at timestamp default now(),
  acknowledged_at timestamp
);
create table schema_migrations (version varchar(50) primary key, applied_at timestamp default now());
insert into schema_migrations (version) values ('v2.0.0-agents');
insert into users (id, username, role) values ('ann', 'ann', 'admin');
insert into agents (agent_id, platform) values ('k8s-one', 'kubernetes');
insert into sessions (id, user_id, template_name, state, tags, agent_id, platform) values
  ('sess-1', 'ann', 'firefox', 'running', '{red,blue}', 'k8s-one', 'kubernetes'),
  ('sess-2', 'ann', 'firefox', 'hibernated', null, 'gone', null);
insert into agent_commands (command_id, agent_id, session_id, action, payload, status) values
  ('cmd-1', 'k8s-one', 'sess-1', 'start_session', '{"image": "x"}', 'completed'),
  ('cmd-2', 'k8s-one', 'sess-deleted', 'stop_session', null, 'pending');
