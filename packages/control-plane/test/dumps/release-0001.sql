-- What release 0.1.0 made, with a row of each kind.
create table users (
  id uuid primary key default gen_random_uuid(),
  username text not null,
  password_hash text not null,
  role text not null check (role in ('admin', 'user')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create unique index users_username on users (lower(username));

-- One row for each browser that is logged in. A refresh token is its id and a secret that changes with each use.
create table logins (
  id uuid primary key,
  user_id uuid not null references users (id) on delete cascade,
  token_hash bytea not null,
  previous_hash bytea,
  rotated_at timestamptz not null default now(),
  expires_at timestamptz not null,
  created_at timestamptz not null default now()
);

create table setup_tokens (
  token_hash bytea primary key,
  expires_at timestamptz not null,
  created_at timestamptz not null default now()
);

create table agents (
  id uuid primary key default gen_random_uuid(),
  agent_id text not null unique,
  platform text not null default 'unknown',
  region text,
  status text not null default 'offline' check (status in ('online', 'offline')),
  capacity jsonb not null default '{}',
  metadata jsonb not null default '{}',
  key_hash bytea,
  registered_at timestamptz,
  -- Who holds the connection. The epoch only grows; it is the fence for everything that the agent says.
  epoch bigint not null default 0,
  websocket_conn_id text,
  pod_name text,
  instance_id text,
  leader_token bigint not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

-- What changes with each heartbeat, apart from the rest and without an index, so that rows are updated in place.
create table agent_heartbeats (
  agent_id uuid primary key references agents (id) on delete cascade,
  epoch bigint not null,
  status text not null check (status in ('online', 'draining')),
  active_sessions integer not null default 0,
  last_heartbeat timestamptz not null default now()
) with (fillfactor = 50);

create table templates (
  name text primary key,
  display_name text not null,
  description text not null default '',
  app_type text not null,
  platform text,
  manifest jsonb not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table sessions (
  id text primary key check (id ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  user_id uuid not null references users (id),
  template text not null,
  -- The template as it was, so that the session can be made again whatever became of it.
  manifest jsonb not null,
  state text not null check (state in ('pending', 'running', 'hibernated', 'terminating', 'terminated', 'failed')),
  desired_state text not null check (desired_state in ('running', 'terminated')),
  platform text not null,
  platform_metadata jsonb,
  agent_id uuid references agents (id) on delete set null,
  -- States are ordered by these two: a result of an older generation or command changes nothing.
  generation bigint not null default 1,
  command_seq bigint not null default 0,
  error_code text,
  error_message text,
  -- Of the request that made it: the same request again gets the same session.
  request_hash bytea not null,
  tags jsonb not null default '[]',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
-- Placement counts, and the reconciler lists, what an agent should hold.
create index sessions_agent_id on sessions (agent_id) where desired_state = 'running' or state = 'terminating';
create index sessions_user_id on sessions (user_id);

create table agent_commands (
  command_id text primary key,
  agent_id uuid not null references agents (id) on delete cascade,
  session_id text not null references sessions (id) on delete cascade,
  seq bigint not null,
  generation bigint not null,
  command_type text not null,
  command_data jsonb not null,
  status text not null default 'pending' check (status in ('pending', 'sent', 'ack', 'completed', 'failed')),
  retry_count integer not null default 0,
  sent_epoch bigint,
  deadline timestamptz not null,
  result jsonb,
  error_code text,
  error_message text,
  created_at timestamptz not null default now(),
  sent_at timestamptz,
  acked_at timestamptz,
  completed_at timestamptz,
  unique (session_id, seq)
);
create index agent_commands_open on agent_commands (agent_id) where status in ('pending', 'sent', 'ack');
create index agent_commands_deadline on agent_commands (deadline) where status in ('pending', 'sent', 'ack');

create table viewer_tickets (
  token_hash bytea primary key,
  session_id text not null references sessions (id) on delete cascade,
  user_id uuid not null references users (id) on delete cascade,
  mode text not null check (mode in ('control', 'view')),
  expires_at timestamptz not null,
  created_at timestamptz not null default now()
);
create table schema_migrations (version text primary key, applied_at timestamptz not null default now());
insert into schema_migrations (version) values ('0001_first');
insert into users (id, username, password_hash, role) values ('22222222-0000-4000-8000-000000000001', 'first-user', 'none', 'admin');
insert into agents (id, agent_id, platform, capacity, epoch, key_hash) values
  ('33333333-0000-4000-8000-000000000001', 'desk-1', 'local', '{"max_sessions": 5}', 1760000000000, '\x01');
insert into agent_heartbeats (agent_id, epoch, status) values ('33333333-0000-4000-8000-000000000001', 1760000000000, 'online');
insert into templates (name, display_name, app_type, manifest) values ('desk', 'Desk', 'desktop', '{}');
insert into sessions (id, user_id, template, manifest, state, desired_state, platform, agent_id, command_seq, request_hash) values
  ('desk-one', '22222222-0000-4000-8000-000000000001', 'desk', '{}', 'running', 'running', 'local', '33333333-0000-4000-8000-000000000001', 1, '\x02');
insert into agent_commands (command_id, agent_id, session_id, seq, generation, command_type, command_data, status, retry_count, deadline) values
  ('cmd-1', '33333333-0000-4000-8000-000000000001', 'desk-one', 1, 1, 'start_session', '{}', 'completed', 1, now());
