import type { Migration } from './migration.js';
import { first } from './0001-first.js';
import { COMMANDS, DROP_COMMANDS } from './v1/commands.js';
import { DROP_PEOPLE_AND_AGENTS, PEOPLE_AND_AGENTS } from './v1/people-and-agents.js';
import { DROP_SESSIONS, KEPT, SESSIONS } from './v1/sessions.js';
import { DROP_TOOLS, TOOLS } from './v1/tools.js';

/** Tables of ours that another version may have under the same name with another meaning. It keeps them as `v1_…`. */
const SET_ASIDE = [
  'logins',
  'setup_tokens',
  'templates',
  'viewer_tickets',
  'agent_heartbeats',
  'session_events',
];

const firstBesidesWhatIsThere = first.sql
  .replaceAll(/^create table /gm, 'create table if not exists ')
  .replaceAll(/^create (unique )?index /gm, 'create $1index if not exists ');

/**
 * Takes the database of an earlier StreamSpace over, in place: the public version 1, the variant of it with UUIDs, and
 * either with the tables of version 2 that were made by hand. Every row and every column stays; columns that mean
 * something else to us are kept as `v1_…`. Then the first migration has nothing left to do.
 *
 * Elsewhere, in an empty database or one of ours, it does nothing.
 */
export const fromV1: Migration = {
  version: '0000_from_v1',
  sql: `
do $adopt$
declare
  name text;
  restore text[] := '{}';
begin
  if exists (select 1 from schema_migrations where version = '${first.version}')
     or (to_regclass('sessions') is null and to_regclass('agents') is null and to_regclass('agent_commands') is null
         and to_regclass('users') is null)
  then return; end if;

  execute $tools$ ${TOOLS} ${PEOPLE_AND_AGENTS} ${SESSIONS} ${COMMANDS} ${KEPT} $tools$;
  perform streamspace_v1_expect('sessions', 'id', 'status|state|template|template_name|platform_metadata');
  perform streamspace_v1_expect('users', 'id', 'username|email', 'role|password_hash|full_name');
  if streamspace_v1_type('users', 'id') not in ('uuid', 'text', 'character varying', 'character')
     and not exists (select 1 from pg_constraint
                      where contype = 'f' and conrelid = to_regclass('sessions') and confrelid = to_regclass('users'))
  then
    raise exception 'The table users in this database is not of StreamSpace: its ids are of the type %, and no table sessions refers to them. Give StreamSpace a database, or a schema, of its own.',
      streamspace_v1_type('users', 'id');
  end if;
  perform streamspace_v1_expect('agents', 'id', 'agent_id', 'platform|capacity');
  perform streamspace_v1_expect('agent_commands', 'id|command_id', 'agent_id', 'command_type|action');
  perform streamspace_v1_expect('platform_controllers', 'controller_type', 'name');
  perform streamspace_v1_expect('redis_agent_connections', 'agent_id', 'pod_id');
  perform streamspace_v1_expect('leader_election_leases', 'lease_name');
  -- Nothing may be left to do at the end: a table with checks to come cannot be altered.
  set constraints all immediate;
  foreach name in array array['users', 'agents', 'sessions', 'agent_commands'] loop
    restore := restore || streamspace_v1_quiet(name);
  end loop;

  foreach name in array array[${SET_ASIDE.map((table) => `'${table}'`).join(', ')}] loop
    if to_regclass(name) is not null then execute format('alter table %I rename to %I', name, streamspace_v1_free('v1_' || name)); end if;
  end loop;
  foreach name in array array['schema_migrations', 'platform_controllers', 'redis_agent_connections', 'leader_election_leases'] loop
    if to_regclass(name) is not null then perform streamspace_v1_loosen(name); end if;
  end loop;

  perform streamspace_v1_users();
  perform streamspace_v1_agents();
  perform streamspace_v1_sessions();
  perform streamspace_v1_commands();
  execute $first$ ${firstBesidesWhatIsThere} $first$;
  perform streamspace_v1_sessions_owners();
  perform streamspace_v1_commands_references();
  foreach name in array restore loop execute name; end loop;
  insert into schema_migrations (version) values ('${first.version}');
  execute $drop$ ${DROP_COMMANDS} ${DROP_SESSIONS} ${DROP_PEOPLE_AND_AGENTS} ${DROP_TOOLS} $drop$;
end $adopt$;
`,
};
