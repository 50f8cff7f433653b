import type { Migration } from './migration.js';

/**
 * What happened to each session, and who did what. The database itself notes each change of a session's state, in the
 * transaction that makes it, so that no writer can forget to.
 */
export const timeline: Migration = {
  version: '0003_timeline',
  sql: `
create table if not exists session_events (
  id bigint generated always as identity primary key,
  session_id text not null references sessions (id) on delete cascade,
  generation bigint not null,
  kind text not null,
  message text not null,
  data jsonb not null default '{}',
  at timestamptz not null default now()
);
create index if not exists session_events_session_id on session_events (session_id, id);
create index if not exists session_events_at on session_events using brin (at);

create table if not exists audit_entries (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  -- Without a reference: what somebody did is kept when he is gone.
  actor_id uuid,
  actor text not null,
  action text not null,
  target text,
  address text,
  data jsonb not null default '{}'
);
create index if not exists audit_entries_at on audit_entries using brin (at);

create or replace function note_session_change() returns trigger language plpgsql as $f$
declare
  said text;
  changed jsonb := jsonb_build_object('state', new.state, 'desired_state', new.desired_state);
  kind text := 'state';
begin
  if tg_op = 'INSERT' then kind := 'created';
  elsif new.generation is distinct from old.generation then kind := 'restarted';
  elsif new.state = old.state and new.desired_state is distinct from old.desired_state then kind := 'asked';
  elsif new.state = old.state and new.agent_id is distinct from old.agent_id then kind := 'placed';
  elsif new.state = old.state then kind := 'error';
  end if;
  if tg_op = 'UPDATE' and new.state is distinct from old.state then
    changed := changed || jsonb_build_object('from', old.state);
  end if;
  if new.agent_id is not null then
    changed := changed || jsonb_build_object('agent_id', (select agent_id from agents where id = new.agent_id));
  end if;
  if new.error_code is not null then
    changed := changed || jsonb_build_object('error_code', new.error_code);
  end if;
  said := case
    when kind = 'created' and new.agent_id is null then 'The session waits for an agent that can take it.'
    when kind = 'created' then 'The session was created.'
    when kind = 'placed' then 'The session has an agent.'
    when kind = 'asked' then 'The session is to be ' || new.desired_state || '.'
    when kind = 'error' then coalesce(new.error_message, 'The session’s last error is over.')
    when new.state = 'failed' then 'The session failed: ' || coalesce(new.error_message, 'no reason was given')
    when new.state = 'pending' and new.generation > 1 then 'The session is started again.'
    when new.state = 'pending' then 'The session is started.'
    when new.state = 'running' then 'The session runs.'
    when new.state = 'hibernated' then 'The session is hibernated.'
    when new.state = 'terminating' then 'The session is stopped.'
    else 'The session has ended.' end;
  insert into session_events (session_id, generation, kind, message, data)
  values (new.id, new.generation, kind, said, changed);
  return null;
end $f$;

create or replace trigger sessions_created after insert on sessions
  for each row execute function note_session_change();
-- Whatever columns the statement names: another trigger may have changed the state on the way.
create or replace trigger sessions_changed
  after update on sessions for each row when (
    old.state is distinct from new.state or old.desired_state is distinct from new.desired_state
    or old.generation is distinct from new.generation or old.agent_id is distinct from new.agent_id
    or old.error_code is distinct from new.error_code)
  execute function note_session_change();
`,
};
