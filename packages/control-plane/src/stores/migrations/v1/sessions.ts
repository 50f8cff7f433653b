/**
 * Sessions of an earlier StreamSpace. Whatever made them goes on looking after them: to us they are `external`, listed
 * and never touched. The column `status` stays, and follows `state`, as `state` follows it.
 */
export const SESSIONS = `
create function streamspace_v1_sessions() returns void language plpgsql as $f$
begin
  if to_regclass('sessions') is null then return; end if;
  perform streamspace_v1_loosen('sessions');
  perform streamspace_v1_rekey('sessions', 'id', 'text', '%I::text');
  alter table sessions alter column id set default gen_random_uuid()::text;

  perform streamspace_v1_unique('sessions', 'id', 'sessions_id_key');

  -- Owners are found at the end: by an id, by a name in its place, or by a name in a column of its own.
  alter table sessions add column streamspace_v1_owner text, add column streamspace_v1_owner_name text;
  if streamspace_v1_has('sessions', 'user_id') then
    if streamspace_v1_type('sessions', 'user_id') <> 'uuid' then
      update sessions set streamspace_v1_owner = user_id::text;
      alter table sessions alter column user_id drop default;
      alter table sessions alter column user_id type uuid using streamspace_v1_uuid(user_id::text);
    end if;
  else
    alter table sessions add column user_id uuid;
  end if;
  if streamspace_v1_has('sessions', 'user') then
    update sessions set streamspace_v1_owner_name = nullif(btrim("user"::text), '');
  end if;
  if streamspace_v1_has('sessions', 'username') then
    update sessions set streamspace_v1_owner_name = coalesce(streamspace_v1_owner_name, nullif(btrim(username::text), ''));
  end if;

  perform streamspace_v1_column('sessions', 'template', 'text');
  if streamspace_v1_has('sessions', 'template_name') then
    update sessions set template = template_name where template is null;
  end if;
  perform streamspace_v1_column('sessions', 'template', 'text', '''unknown''', true);
  perform streamspace_v1_column('sessions', 'manifest', 'jsonb', '''{}''', true);
  perform streamspace_v1_column('sessions', 'error_code', 'text');
  perform streamspace_v1_column('sessions', 'error_message', 'text', null, false, 1000000);

  perform streamspace_v1_column('sessions', 'state', 'text', null, false, 32);
  perform streamspace_v1_column('sessions', 'status', 'text', null, false, 32);
  alter table sessions alter column state drop default, alter column status drop default;
  update sessions
     set error_code = 'v1_state_unknown',
         error_message = format('The version before kept it as %s.', coalesce(state, status, 'nothing'))
   where coalesce(v1_session_state(state), v1_session_state(status)) is null;
  update sessions
     set status = coalesce(status, state),
         state = coalesce(v1_session_state(state), v1_session_state(status), 'failed');
  alter table sessions alter column state set not null;

  perform streamspace_v1_column('sessions', 'desired_state', 'text', '''external''', true);
  if streamspace_v1_type('sessions', 'agent_id') <> 'uuid' then
    if streamspace_v1_has('sessions', 'v1_agent_id') then perform streamspace_v1_aside('sessions', 'v1_agent_id'); end if;
    alter table sessions rename column agent_id to v1_agent_id;
    alter table sessions add column agent_id uuid;
    if to_regclass('agents') is not null then
      update sessions s set agent_id = a.id from agents a where a.agent_id = s.v1_agent_id;
    end if;
  end if;
  perform streamspace_v1_column('sessions', 'agent_id', 'uuid');
  perform streamspace_v1_column('sessions', 'platform', 'text');
  perform streamspace_v1_column('sessions', 'platform_metadata', 'jsonb');
  update sessions
     set platform = 'kubernetes', platform_metadata = '{"source": "v1.x", "controller": "kubebuilder"}'
   where platform is null;
  perform streamspace_v1_column('sessions', 'platform', 'text', '''kubernetes''', true);
  perform streamspace_v1_column('sessions', 'generation', 'bigint', '1', true);
  perform streamspace_v1_column('sessions', 'command_seq', 'bigint', '0', true);
  -- No request is the same as one that was never made.
  perform streamspace_v1_column('sessions', 'request_hash', 'bytea', '''\\x''', true);
  perform streamspace_v1_column('sessions', 'tags', 'jsonb', '''[]''', true);
  perform streamspace_v1_column('sessions', 'created_at', 'timestamp with time zone', 'now()', true);
  perform streamspace_v1_column('sessions', 'updated_at', 'timestamp with time zone', 'now()', true);

  -- Ids that are no DNS labels stay what they are; there will be no more of them.
  execute format(
    'alter table sessions add constraint sessions_id_check check (id ~ %L or created_at <= %L)',
    '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$', greatest(now(), (select max(created_at) from sessions)));
  alter table sessions add constraint sessions_state_check
    check (state in ('pending', 'running', 'hibernated', 'terminating', 'terminated', 'failed'));
  alter table sessions add constraint sessions_desired_state_check
    check (desired_state in ('running', 'hibernated', 'terminated', 'external'));
  drop index if exists idx_sessions_state;
end $f$;

-- Who had this name before any was changed; the same letters go before the same but for case.
create function streamspace_v1_named(name text) returns uuid language plpgsql as $f$
begin
  return (select id from users where lower(streamspace_v1_name) = lower(name)
           order by (streamspace_v1_name = name) desc, (lower(username) = lower(name)) desc, id limit 1);
end $f$;

-- After everything that we need is there: owners, and what keeps both versions' columns alike.
create function streamspace_v1_sessions_owners() returns void language plpgsql as $f$
declare named text := '';
begin
  if not streamspace_v1_has('users', 'streamspace_v1_name') then alter table users add column streamspace_v1_name text; end if;
  if not streamspace_v1_has('sessions', 'streamspace_v1_owner') then
    alter table users drop column streamspace_v1_name;
    return;
  end if;
  update sessions s set user_id = found.id
    from (select owner, name, coalesce(streamspace_v1_named(owner), streamspace_v1_named(name)) as id
            from (select distinct streamspace_v1_owner as owner, streamspace_v1_owner_name as name from sessions o
                   where not exists (select 1 from users u where u.id = o.user_id)) given) found
   where found.id is not null and not exists (select 1 from users u where u.id = s.user_id)
     and coalesce(s.streamspace_v1_owner, '') = coalesce(found.owner, '')
     and coalesce(s.streamspace_v1_owner_name, '') = coalesce(found.name, '');
  update sessions set user_id = v1_owner(coalesce(streamspace_v1_owner_name, 'v1-unknown')) where user_id is null;
  insert into users (id, username, password_hash, role)
  select o.user_id,
         case when o.place > 1 or exists (select 1 from users u where lower(u.username) = lower(o.name))
              then left(o.name, 246) || '-' || left(o.user_id::text, 8) else o.name end,
         '', 'user'
    from (select user_id, name, row_number() over (partition by lower(name) order by user_id) as place
            from (select s.user_id, coalesce(min(s.streamspace_v1_owner_name), min(s.streamspace_v1_owner), s.user_id::text) as name
                    from sessions s where not exists (select 1 from users u where u.id = s.user_id) group by s.user_id) p) o;
  alter table sessions drop column streamspace_v1_owner, drop column streamspace_v1_owner_name;
  alter table users drop column streamspace_v1_name;
  alter table sessions alter column user_id set not null;
  perform streamspace_v1_refer('sessions', 'user_id', 'users', 'no action');
  perform streamspace_v1_refer('sessions', 'agent_id', 'agents', 'set null');

  if streamspace_v1_has('sessions', 'template_name') then
    named := 'if new.template = ''unknown'' and new.template_name is not null then new.template := new.template_name; end if;
      new.template_name := coalesce(new.template_name, new.template);';
  end if;
  if streamspace_v1_has('sessions', 'user') then
    named := named || ' if new.user_id is null then new.user_id := v1_owner(coalesce(new."user"::text, ''v1-unknown'')); end if;';
  elsif streamspace_v1_has('sessions', 'username') then
    named := named || ' if new.user_id is null then new.user_id := v1_owner(coalesce(new.username::text, ''v1-unknown'')); end if;';
  end if;
  execute format($body$
    create function v1_sessions_insert() returns trigger language plpgsql as $t$
    begin
      new.state := coalesce(new.state, v1_session_state(new.status), 'pending');
      new.status := coalesce(new.status, new.state);
      %s
      return new;
    end $t$ $body$, named);
  create trigger v1_sessions_insert before insert on sessions for each row execute function v1_sessions_insert();
  create function v1_sessions_update() returns trigger language plpgsql as $t$
  begin
    if new.state is distinct from old.state then new.status := new.state;
    elsif new.status is distinct from old.status then new.state := coalesce(v1_session_state(new.status), old.state);
    end if;
    return new;
  end $t$;
  create trigger v1_sessions_update before update of state, status on sessions
    for each row execute function v1_sessions_update();
end $f$;
`;

/** Functions that stay, for as long as the earlier version's programs use the same table. */
export const KEPT = `
-- One of our states for one of an earlier version's; null where there is none.
create function v1_session_state(given text) returns text language sql immutable as $f$
  select case
    when lower(given) in ('pending', 'running', 'hibernated', 'terminating', 'terminated', 'failed') then lower(given)
    when lower(given) in ('creating', 'starting') then 'pending'
    when lower(given) in ('active', 'ready') then 'running'
    when lower(given) in ('sleeping', 'suspended', 'paused') then 'hibernated'
    when lower(given) in ('stopping', 'deleting') then 'terminating'
    when lower(given) in ('stopped', 'deleted', 'completed') then 'terminated'
    when lower(given) = 'error' then 'failed' end
$f$;

-- The user of this name; one who cannot log in where there was none.
create function v1_owner(name text) returns uuid language plpgsql as $f$
declare found uuid;
begin
  select id into found from users where lower(username) = lower(name);
  if found is null then
    insert into users (id, username, password_hash, role) values (gen_random_uuid(), name, '', 'user')
    returning id into found;
  end if;
  return found;
end $f$;
`;

export const DROP_SESSIONS = `
drop function streamspace_v1_sessions_owners();
drop function streamspace_v1_named(text);
drop function streamspace_v1_sessions();
`;
