/**
 * Functions with which the tables of an earlier StreamSpace are brought into the present shape. They exist only inside
 * the transaction that uses them.
 */
export const TOOLS = `
create function streamspace_v1_has(tab text, col text) returns boolean language sql stable as $f$
  select exists (select 1 from pg_attribute
                  where attrelid = to_regclass(tab) and attname = col and attnum > 0 and not attisdropped)
$f$;

create function streamspace_v1_type(tab text, col text) returns text language sql stable as $f$
  select format_type(atttypid, null) from pg_attribute
   where attrelid = to_regclass(tab) and attname = col and attnum > 0 and not attisdropped
$f$;

-- The same UUID for the same text, wherever it is written.
create function streamspace_v1_uuid(given text) returns uuid language sql immutable as $f$
  select case when given ~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' then given::uuid
              else md5('streamspace:' || given)::uuid end
$f$;

-- Whether the table is absent or has at least one column of each group. A name alone says little: other programs have
-- users and agents as well.
create function streamspace_v1_expect(tab text, variadic groups text[]) returns void language plpgsql as $f$
declare one text;
begin
  if to_regclass(quote_ident(tab)) is null then return; end if;
  foreach one in array groups loop
    if not exists (select 1 from unnest(string_to_array(one, '|')) col where streamspace_v1_has(tab, col)) then
      raise exception 'The table % in this database is not of StreamSpace: it has no column %. Give StreamSpace a database, or a schema, of its own.',
        tab, replace(one, '|', ' or ');
    end if;
  end loop;
end $f$;

-- A name that nothing in this schema has.
create function streamspace_v1_free(wish text) returns text language plpgsql as $f$
declare name text := wish; place integer := 1;
begin
  while to_regclass(quote_ident(name)) is not null loop
    place := place + 1;
    name := wish || '_' || place;
  end loop;
  return name;
end $f$;

-- Puts a column aside: it keeps its values under another name.
create function streamspace_v1_aside(tab text, col text) returns void language plpgsql as $f$
declare name text := 'v1_' || col; place integer := 1;
begin
  while streamspace_v1_has(tab, name) loop
    place := place + 1;
    name := 'v1_' || col || '_' || place;
  end loop;
  execute format('alter table %I rename column %I to %I', tab, col, name);
end $f$;

-- Stops where values are there twice that must be unique. To change any of them is not for us to decide.
create function streamspace_v1_no_twins(tab text, col text) returns void language plpgsql as $f$
declare twins text;
begin
  execute format(
    'select string_agg(value, '', '') from (select %2$I::text as value from %1$I where %2$I is not null
                                          group by 1 having count(*) > 1 order by 1 limit 10) t', tab, col) into twins;
  if twins is not null then
    raise exception 'The table % has rows with the same %: %. Make them differ, or delete what is too much.', tab, col, twins;
  end if;
end $f$;

-- A unique index over this expression, which upserts rely on. One of the right name may be over something else.
create function streamspace_v1_unique(tab text, expression text, wish text) returns void language plpgsql as $f$
declare given text := '(' || expression || ')';
begin
  if exists (
    select 1 from pg_index i
     where i.indrelid = to_regclass(tab) and i.indisunique and i.indimmediate and i.indisvalid and i.indpred is null
       -- Without the casts that are written out for a varchar.
       and regexp_replace(substring(pg_get_indexdef(i.indexrelid) from 'USING btree (.*)$'), '\\((\\w+)\\)::text', '\\1')
           = given)
  then return; end if;
  execute format('create unique index %I on %I %s', streamspace_v1_free(wish), tab, given);
end $f$;

-- Stops the triggers of a table; what to execute so that they are as they were.
create function streamspace_v1_quiet(tab text) returns text[] language plpgsql as $f$
declare r record; restore text[] := '{}';
begin
  for r in select tgname, tgenabled from pg_trigger
            where tgrelid = to_regclass(tab) and not tgisinternal and tgenabled <> 'D' loop
    execute format('alter table %I disable trigger %I', tab, r.tgname);
    restore := restore || format('alter table %I enable %s trigger %I', tab,
      case r.tgenabled when 'R' then 'replica' when 'A' then 'always' else '' end, r.tgname);
  end loop;
  return restore;
end $f$;

-- Lets rows in that fill only the columns that we know, with values that we use.
create function streamspace_v1_loosen(tab text) returns void language plpgsql as $f$
declare r record; steps text[] := '{}'; preset_type text;
begin
  for r in select a.attname from pg_attribute a
            where a.attrelid = to_regclass(tab) and a.attnum > 0 and not a.attisdropped and a.attnotnull
              and not a.atthasdef and a.attidentity = ''
              and not exists (select 1 from pg_constraint c
                               where c.conrelid = a.attrelid and c.contype = 'p' and a.attnum = any (c.conkey)) loop
    execute format('alter table %I alter column %I drop not null', tab, r.attname);
  end loop;
  for r in select conname from pg_constraint where conrelid = to_regclass(tab) and contype = 'c' loop
    execute format('alter table %I drop constraint %I', tab, r.conname);
  end loop;
  for r in select a.attname, pg_get_expr(d.adbin, d.adrelid) as preset
             from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
            where a.attrelid = to_regclass(tab) and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
              and a.atttypid = 'timestamp'::regtype loop
    execute format('alter table %I alter column %I drop default', tab, r.attname);
    steps := steps || format('alter column %1$I type timestamptz using %1$I at time zone ''UTC''', r.attname);
    if r.preset is not null then
      execute format('select pg_typeof(%s)::text', r.preset) into preset_type;
      steps := steps || format(
        case preset_type when 'timestamp without time zone' then 'alter column %I set default ((%s) at time zone ''UTC'')'
                         else 'alter column %I set default %s' end, r.attname, r.preset);
    end if;
  end loop;
  -- All in one: each conversion of its own would write the table anew.
  if cardinality(steps) > 0 then execute format('alter table %I %s', tab, array_to_string(steps, ', ')); end if;
end $f$;

-- Whether a column holds texts of this length as it is. Another type would only be in the way of triggers, policies and
-- generated columns that mention it.
create function streamspace_v1_holds(tab text, col text, needed integer) returns boolean language sql stable as $f$
  select exists (select 1 from pg_attribute
                  where attrelid = to_regclass(tab) and attname = col and attnum > 0 and not attisdropped
                    and atttypid = 'varchar'::regtype and (atttypmod = -1 or atttypmod - 4 >= needed))
$f$;

-- Gives a key another type, and every column that refers to it with it.
create function streamspace_v1_rekey(tab text, col text, new_type text, conversion text) returns void
language plpgsql as $f$
declare r record; after text[] := '{}'; step text;
begin
  if streamspace_v1_type(tab, col) = new_type or (new_type = 'text' and streamspace_v1_holds(tab, col, 255)) then return; end if;
  for r in select c.conname, c.conrelid::regclass::text as child, pg_get_constraintdef(c.oid) as definition, a.attname
             from pg_constraint c
             join pg_attribute k on k.attrelid = c.confrelid and k.attname = col and c.confkey = array[k.attnum]
             join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
            where c.contype = 'f' and c.confrelid = to_regclass(tab) loop
    execute format('alter table %s drop constraint %I', r.child, r.conname);
    execute format('alter table %s alter column %I drop default', r.child, r.attname);
    after := after
      || format('alter table %s alter column %I type %s using ' || conversion, r.child, r.attname, new_type, r.attname)
      || format('alter table %s add constraint %I %s', r.child, r.conname, r.definition);
  end loop;
  execute format('alter table %I alter column %I drop identity if exists', tab, col);
  execute format('alter table %I alter column %I drop default', tab, col);
  execute format('alter table %I alter column %I type %s using ' || conversion, tab, col, new_type, col);
  foreach step in array after loop execute step; end loop;
end $f$;

-- Sees to it that a column is there with this type. One that cannot be converted stays as v1_<name>. A varchar is as good
-- as a text when it holds as many characters as needed.
create function streamspace_v1_column(tab text, col text, wanted text, preset text default null,
                                      required boolean default false, needed integer default 255)
returns void language plpgsql as $f$
declare
  present text := streamspace_v1_type(tab, col);
  conversion text := case
    when wanted = 'text' then '%I::text'
    when wanted = 'jsonb' and present = 'json' then '%I::jsonb'
    when wanted = 'jsonb' and present like '%[]' then 'to_jsonb(%I)'
    when wanted = 'bigint' and present in ('integer', 'smallint') then '%I::bigint' end;
  has_nulls boolean;
begin
  if wanted = 'text' and streamspace_v1_holds(tab, col, needed) then present := wanted; end if;
  if present is not null and present <> wanted then
    if conversion is null then
      perform streamspace_v1_aside(tab, col);
      present := null;
    else
      execute format('alter table %I alter column %I drop default', tab, col);
      execute format('alter table %I alter column %I type %s using ' || conversion, tab, col, wanted, col);
    end if;
  end if;
  if present is null and preset is not null then
    -- Without writing the table anew, where the preset is the same for every row.
    execute format('alter table %I add column %I %s default %s', tab, col, wanted, preset);
  elsif present is null then
    execute format('alter table %I add column %I %s', tab, col, wanted);
  elsif preset is not null then
    execute format('alter table %I alter column %I set default %s', tab, col, preset);
    execute format('update %I set %I = %s where %2$I is null', tab, col, preset);
  end if;
  if required then
    execute format('select exists (select 1 from %I where %I is null)', tab, col) into has_nulls;
    if not has_nulls then execute format('alter table %I alter column %I set not null', tab, col); end if;
  end if;
end $f$;

-- A foreign key, where the column has none. Rows that are there already may refer to what is gone.
create function streamspace_v1_refer(tab text, col text, target text, what_then text) returns void
language plpgsql as $f$
begin
  if not exists (select 1 from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and c.conkey = array[a.attnum]
                  where c.contype = 'f' and c.conrelid = to_regclass(tab) and a.attname = col
                    and c.confrelid = to_regclass(target)) then
    execute format('alter table %I add constraint %I foreign key (%I) references %I (id) on delete %s not valid',
                   tab, 'streamspace_' || tab || '_' || col || '_fkey', col, target, what_then);
  end if;
end $f$;
`;

export const DROP_TOOLS = `
drop function streamspace_v1_refer(text, text, text, text);
drop function streamspace_v1_column(text, text, text, text, boolean, integer);
drop function streamspace_v1_holds(text, text, integer);
drop function streamspace_v1_rekey(text, text, text, text);
drop function streamspace_v1_loosen(text);
drop function streamspace_v1_quiet(text);
drop function streamspace_v1_unique(text, text, text);
drop function streamspace_v1_no_twins(text, text);
drop function streamspace_v1_aside(text, text);
drop function streamspace_v1_free(text);
drop function streamspace_v1_expect(text, text[]);
drop function streamspace_v1_uuid(text);
drop function streamspace_v1_type(text, text);
drop function streamspace_v1_has(text, text);
`;
