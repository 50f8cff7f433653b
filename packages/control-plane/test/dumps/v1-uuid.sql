-- Version 1 as its guides assume it: UUIDs, and no table of users.
create table sessions (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null,
  template varchar(255) not null,
  status varchar(50) default 'pending',
  created_at timestamp default now(),
  updated_at timestamp default now()
);
create table snapshots (id uuid primary key default gen_random_uuid(), session_id uuid not null references sessions (id));
insert into sessions (id, user_id, template, status, created_at) values
  ('11111111-0000-4000-8000-000000000001', '22222222-0000-4000-8000-000000000001', 'firefox', 'running', '2025-02-01 10:00:00'),
  ('11111111-0000-4000-8000-000000000002', '22222222-0000-4000-8000-000000000001', 'desktop', 'terminated', '2025-02-02 10:00:00'),
  ('11111111-0000-4000-8000-000000000003', '22222222-0000-4000-8000-000000000002', 'desktop', null, '2025-02-03 10:00:00');
insert into snapshots (session_id) values ('11111111-0000-4000-8000-000000000001');
