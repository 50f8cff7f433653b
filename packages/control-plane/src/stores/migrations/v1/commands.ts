/** Commands of an earlier StreamSpace: history. Those that had no outcome get one, since nobody will carry them out. */
export const COMMANDS = `
-- We write no id: there must be one by itself.
create function streamspace_v1_commands_id() returns void language plpgsql as $f$
declare
  present text := streamspace_v1_type('agent_commands', 'id');
  by_itself boolean := (select atthasdef or attidentity <> '' from pg_attribute
                         where attrelid = to_regclass('agent_commands') and attname = 'id' and not attisdropped);
  counter text := streamspace_v1_free('agent_commands_id_seq');
  next bigint;
begin
  if present is null then
    alter table agent_commands add column id uuid not null default gen_random_uuid();
  elsif by_itself then return;
  elsif present = 'uuid' then
    alter table agent_commands alter column id set default gen_random_uuid();
  elsif present in ('bigint', 'integer', 'smallint') then
    execute 'select coalesce(max(id), 0) + 1 from agent_commands' into next;
    execute format('create sequence %I start %s owned by agent_commands.id', counter, next);
    execute format('alter table agent_commands alter column id set default nextval(%L)', quote_ident(counter));
  else
    perform streamspace_v1_rekey('agent_commands', 'id', 'text', '%I::text');
    alter table agent_commands alter column id set default gen_random_uuid()::text;
  end if;
end $f$;

create function streamspace_v1_commands() returns void language plpgsql as $f$
begin
  if to_regclass('agent_commands') is null then return; end if;
  perform streamspace_v1_loosen('agent_commands');
  perform streamspace_v1_commands_id();
  perform streamspace_v1_column('agent_commands', 'command_id', 'text');
  update agent_commands set command_id = id::text where command_id is null;
  perform streamspace_v1_no_twins('agent_commands', 'command_id');
  perform streamspace_v1_column('agent_commands', 'command_id', 'text', 'gen_random_uuid()::text', true);
  if streamspace_v1_type('agent_commands', 'agent_id') <> 'uuid' then
    if streamspace_v1_has('agent_commands', 'v1_agent_id') then perform streamspace_v1_aside('agent_commands', 'v1_agent_id'); end if;
    alter table agent_commands rename column agent_id to v1_agent_id;
    alter table agent_commands add column agent_id uuid;
    if to_regclass('agents') is not null then
      update agent_commands c set agent_id = a.id from agents a where a.agent_id = c.v1_agent_id;
    end if;
  end if;
  perform streamspace_v1_column('agent_commands', 'session_id', 'text');
  perform streamspace_v1_column('agent_commands', 'command_type', 'text', null, false, 50);
  if streamspace_v1_has('agent_commands', 'action') then
    update agent_commands set command_type = action where command_type is null;
  end if;
  perform streamspace_v1_column('agent_commands', 'command_type', 'text', '''unknown''', true, 50);
  perform streamspace_v1_column('agent_commands', 'command_data', 'jsonb');
  if streamspace_v1_type('agent_commands', 'payload') in ('json', 'jsonb') then
    update agent_commands set command_data = payload::jsonb where command_data is null;
  end if;
  perform streamspace_v1_column('agent_commands', 'command_data', 'jsonb', '''{}''', true);
  perform streamspace_v1_column('agent_commands', 'status', 'text', '''pending''', true, 32);
  perform streamspace_v1_column('agent_commands', 'retry_count', 'integer', '0', true);
  perform streamspace_v1_column('agent_commands', 'generation', 'bigint', '1', true);
  perform streamspace_v1_column('agent_commands', 'sent_epoch', 'bigint');
  perform streamspace_v1_column('agent_commands', 'deadline', 'timestamp with time zone', 'now()', true);
  perform streamspace_v1_column('agent_commands', 'result', 'jsonb');
  perform streamspace_v1_column('agent_commands', 'error_code', 'text');
  perform streamspace_v1_column('agent_commands', 'error_message', 'text', null, false, 1000000);
  perform streamspace_v1_column('agent_commands', 'created_at', 'timestamp with time zone', 'now()', true);
  perform streamspace_v1_column('agent_commands', 'sent_at', 'timestamp with time zone');
  perform streamspace_v1_column('agent_commands', 'acked_at', 'timestamp with time zone');
  perform streamspace_v1_column('agent_commands', 'completed_at', 'timestamp with time zone');
  update agent_commands
     set status = 'failed', completed_at = coalesce(completed_at, now()), error_code = 'superseded',
         error_message = coalesce(error_message, 'It was still ' || status || ' when this database was migrated.')
   where status not in ('completed', 'failed');
  update agent_commands set completed_at = coalesce(acked_at, sent_at, created_at) where completed_at is null;
  alter table agent_commands add constraint agent_commands_status_check
    check (status in ('pending', 'sent', 'ack', 'completed', 'failed'));
  perform streamspace_v1_column('agent_commands', 'seq', 'bigint');
  update agent_commands c set seq = n.seq
    from (select command_id, row_number() over (partition by session_id order by created_at, command_id) as seq
            from agent_commands where session_id is not null) n
   where n.command_id = c.command_id;
  perform streamspace_v1_column('agent_commands', 'seq', 'bigint', null, true);
  perform streamspace_v1_column('agent_commands', 'agent_id', 'uuid', null, true);
  perform streamspace_v1_column('agent_commands', 'session_id', 'text', null, true);
  perform streamspace_v1_unique('agent_commands', 'command_id', 'agent_commands_command_id_key');
  perform streamspace_v1_unique('agent_commands', 'session_id, seq', 'agent_commands_session_id_seq_key');
  if to_regclass('sessions') is not null then
    update sessions s set command_seq = n.seq
      from (select session_id, max(seq) as seq from agent_commands group by session_id) n where n.session_id = s.id;
  end if;
  drop index if exists idx_agent_commands_status;
end $f$;

create function streamspace_v1_commands_references() returns void language plpgsql as $f$
begin
  perform streamspace_v1_refer('agent_commands', 'agent_id', 'agents', 'cascade');
  perform streamspace_v1_refer('agent_commands', 'session_id', 'sessions', 'cascade');
end $f$;
`;

export const DROP_COMMANDS = `
drop function streamspace_v1_commands_references();
drop function streamspace_v1_commands();
drop function streamspace_v1_commands_id();
`;
