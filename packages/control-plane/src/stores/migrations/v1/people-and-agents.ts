/** Users and agents of an earlier StreamSpace. Ids that were texts become UUIDs; a user's old one stays in `v1_id`. */
export const PEOPLE_AND_AGENTS = `
create function streamspace_v1_users() returns void language plpgsql as $f$
begin
  if to_regclass('users') is null then return; end if;
  perform streamspace_v1_loosen('users');
  if streamspace_v1_type('users', 'id') <> 'uuid' then
    if streamspace_v1_has('users', 'v1_id') then perform streamspace_v1_aside('users', 'v1_id'); end if;
    alter table users add column v1_id text;
    update users set v1_id = id::text;
    perform streamspace_v1_rekey('users', 'id', 'uuid', 'streamspace_v1_uuid(%I::text)');
  end if;
  alter table users alter column id set default gen_random_uuid();
  perform streamspace_v1_column('users', 'username', 'text');
  perform streamspace_v1_column('users', 'password_hash', 'text');
  perform streamspace_v1_column('users', 'role', 'text', '''user''', true, 32);
  perform streamspace_v1_column('users', 'created_at', 'timestamp with time zone', 'now()', true);
  perform streamspace_v1_column('users', 'updated_at', 'timestamp with time zone', 'now()', true);
  if streamspace_v1_has('users', 'email') then
    update users set username = email where username is null and email is not null;
  end if;
  update users set username = id::text where username is null;
  -- By which sessions may refer to their owner.
  alter table users add column streamspace_v1_name text;
  update users set streamspace_v1_name = username;
  -- Names are compared without regard to case from now on. The administrator keeps his, then who was there first.
  update users u set username = left(u.username, 246) || '-' || left(u.id::text, 8)
    from (select id, row_number() over (partition by lower(username)
                                            order by (role = 'admin') desc, created_at nulls last, id) as place
            from users) n
   where n.id = u.id and n.place > 1;
  alter table users alter column username set not null;
  perform streamspace_v1_unique('users', 'lower(username)', 'users_username');
end $f$;

create function streamspace_v1_agents() returns void language plpgsql as $f$
begin
  if to_regclass('agents') is null then return; end if;
  perform streamspace_v1_loosen('agents');
  perform streamspace_v1_rekey('agents', 'id', 'uuid', 'streamspace_v1_uuid(%I::text)');
  alter table agents alter column id set default gen_random_uuid();
  perform streamspace_v1_column('agents', 'agent_id', 'text', null, true);
  perform streamspace_v1_column('agents', 'platform', 'text', '''unknown''', true);
  perform streamspace_v1_column('agents', 'region', 'text');
  perform streamspace_v1_column('agents', 'status', 'text', '''offline''', true, 32);
  perform streamspace_v1_column('agents', 'capacity', 'jsonb', '''{}''', true);
  perform streamspace_v1_column('agents', 'metadata', 'jsonb', '''{}''', true);
  perform streamspace_v1_column('agents', 'key_hash', 'bytea');
  perform streamspace_v1_column('agents', 'registered_at', 'timestamp with time zone');
  perform streamspace_v1_column('agents', 'epoch', 'bigint', '0', true);
  perform streamspace_v1_column('agents', 'websocket_conn_id', 'text');
  perform streamspace_v1_column('agents', 'pod_name', 'text');
  perform streamspace_v1_column('agents', 'instance_id', 'text');
  perform streamspace_v1_column('agents', 'leader_token', 'bigint', '0', true);
  perform streamspace_v1_column('agents', 'created_at', 'timestamp with time zone', 'now()', true);
  perform streamspace_v1_column('agents', 'updated_at', 'timestamp with time zone', 'now()', true);
  -- None of them is connected to us.
  update agents set status = 'offline', websocket_conn_id = null, registered_at = created_at;
  alter table agents add constraint agents_status_check check (status in ('online', 'offline'));
  perform streamspace_v1_no_twins('agents', 'agent_id');
  perform streamspace_v1_unique('agents', 'agent_id', 'agents_agent_id_key');
  -- These change with every connection or heartbeat: an index would make each of them a new row version.
  drop index if exists idx_agents_status;
  drop index if exists idx_agents_last_heartbeat;
  drop index if exists idx_agents_active_sessions;
end $f$;
`;

export const DROP_PEOPLE_AND_AGENTS = `
drop function streamspace_v1_agents();
drop function streamspace_v1_users();
`;
