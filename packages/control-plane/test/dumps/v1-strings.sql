-- The public version 1: ids are texts, sessions have a status, templates a catalogue of their own.
create table users (
  id varchar(255) primary key,
  username varchar(255) unique not null,
  email varchar(255) unique not null,
  full_name varchar(255) not null,
  role varchar(50) default 'user',
  active boolean default true,
  password_hash varchar(255),
  created_at timestamp default current_timestamp,
  updated_at timestamp default current_timestamp
);
create table sessions (
  id varchar(255) primary key,
  user_id varchar(255) references users (id) on delete cascade,
  template_name varchar(255) not null,
  status varchar(50) not null default 'pending' check (status in ('pending', 'running', 'hibernated', 'stopped', 'lost')),
  app_type varchar(50) default 'desktop',
  active_connections integer default 0,
  url text,
  namespace varchar(255) default 'streamspace',
  persistent_home boolean default true,
  last_activity timestamp,
  created_at timestamp default current_timestamp,
  updated_at timestamp default current_timestamp
);
create index idx_sessions_user_id on sessions (user_id);
create index idx_sessions_state on sessions (status);
create table session_shares (
  id serial primary key,
  session_id varchar(255) references sessions (id) on delete cascade,
  shared_with varchar(255) not null references users (id)
);
create table templates (id serial primary key, label varchar(100) unique not null, downloads integer default 0);
create table audit_log (id serial primary key, user_id varchar(255), action varchar(100) not null, "timestamp" timestamp default current_timestamp);

insert into users (id, username, email, full_name, role, password_hash, created_at) values
  ('admin', 'admin', 'admin@desk.example', 'The Administrator', 'admin', '$2a$10$notahashthatanyoneknows', '2025-01-02 03:04:05'),
  ('6a4f6f1e-0000-4000-8000-000000000001', 'bo', 'bo@desk.example', 'Bo', 'operator', null, '2025-01-03 03:04:05'),
  ('user-3', 'Bo', 'other@desk.example', 'Another Bo', 'user', null, '2025-01-04 03:04:05');
insert into sessions (id, user_id, template_name, status, url, created_at) values
  ('sess-123', 'admin', 'firefox', 'running', 'http://10.42.1.5:3000', '2025-02-01 10:00:00'),
  ('Bo_Desktop_2', 'user-3', 'desktop', 'hibernated', null, '2025-02-02 10:00:00'),
  ('sess-gone', '6a4f6f1e-0000-4000-8000-000000000001', 'desktop', 'stopped', null, '2025-02-03 10:00:00'),
  ('sess-odd', 'admin', 'desktop', 'lost', null, '2025-02-04 10:00:00'),
  ('sess-ownerless', null, 'desktop', 'pending', null, '2025-02-05 10:00:00');
insert into session_shares (session_id, shared_with) values ('sess-123', 'user-3'), ('Bo_Desktop_2', 'admin');
insert into templates (label) values ('an old one');
insert into audit_log (user_id, action) values ('admin', 'login');
