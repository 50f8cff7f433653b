import { OPEN } from './commands.js';

/*
 * The queue's hot paths: each one statement for many commands, given as one JSON array, so that neither driver has to
 * know how arrays of arrays are written. Rows are locked in the order of their keys, sessions before commands.
 *
 * A statement sees the database as of its start, also after it has waited for a row. What it decides by other rows than
 * the locked ones is guarded by a column of the locked row that every writer of those others changes with them.
 */

const STOPPED_FIRST = 'The session was stopped first.';

/** In the order of their keys. */
const LOCK_SESSIONS = `, locked as materialized (
    select g.* from given g join sessions s on s.id = g.session_id order by s.id for no key update of s
  )`;

/** A start or a wake that nobody was sent is taken back with the stop of its session. */
const TAKE_BACK = `, overtaken as materialized (
    select c.command_id, c.session_id, c.agent_id, c.generation, c.command_type
      from locked l join agent_commands c on c.session_id = l.session_id and c.agent_id = l.agent
     where l.action = 'stop_session' and c.status = 'pending' and c.generation <= l.generation
       and c.command_type in ('start_session', 'wake_session')
     order by c.command_id for update of c
  ), cancelled as (
    update agent_commands c
       set status = 'failed', completed_at = now(), error_code = 'cancelled',
           error_message = '${STOPPED_FIRST}'
      from overtaken o where c.command_id = o.command_id and c.status = 'pending'
  )`;

/** `locked` with the generation of a wake that is taken back. */
const WITH_WOKEN = `(
      select l.*, (select max(o.generation) from overtaken o
                    where o.session_id = l.session_id and o.agent_id = l.agent
                      and o.command_type = 'wake_session') as woken
        from locked l)`;
/** What is not woken goes on hibernating. */
const TAKEN_BACK = `l.woken = s.generation and l.agent = s.agent_id
         and s.state = 'pending' and s.desired_state = 'running'`;
const SLEEP_ON = `,
           state = case when ${TAKEN_BACK} then 'hibernated' else s.state end,
           desired_state = case when ${TAKEN_BACK} then 'hibernated' else s.desired_state end,
           error_code = case when ${TAKEN_BACK} then 'cancelled' else s.error_code end,
           error_message = case when ${TAKEN_BACK} then '${STOPPED_FIRST}' else s.error_message end,
           updated_at = case when ${TAKEN_BACK} then now() else s.updated_at end`;

/**
 * Gives each command its session's next number and writes it; one command of a session at a time. Those known already,
 * or without a session or an agent, are left out; what becomes known meanwhile costs its session a number, of which only
 * the order counts. Planning is a good part of a small statement's time, so what only
 * stops or several commands need is there for them alone.
 */
export const enqueueStatement = ({ hasStops, isOne }: { hasStops: boolean; isOne: boolean }): string => `
  with given as materialized (
    select g.*, a.id as agent
      from json_to_recordset($1::json) as g(
             command_id text, agent_id text, session_id text, generation bigint, action text, payload jsonb,
             deadline timestamptz)
      join agents a on a.agent_id = g.agent_id
     where not exists (select 1 from agent_commands k where k.command_id = g.command_id)
  )${isOne && !hasStops ? '' : LOCK_SESSIONS}${hasStops ? TAKE_BACK : ''}, numbered as (
    update sessions s set command_seq = s.command_seq + 1${hasStops ? SLEEP_ON : ''}
      from ${hasStops ? WITH_WOKEN : isOne ? 'given' : 'locked'} l where s.id = l.session_id
    returning l.*, s.command_seq as seq
  )
  insert into agent_commands
    (command_id, agent_id, session_id, seq, generation, command_type, command_data, deadline)
  select command_id, agent, session_id, seq, generation, action, payload, deadline from numbered
  on conflict (command_id) do nothing
  returning command_id, seq`;

/**
 * Open commands of agent `q.id` that were not handed out under epoch `q.epoch`, each the first of its session. Those
 * before it are looked for by session, so their condition is not that of the index of an agent's open commands.
 */
const DUE = `c.agent_id = q.id and c.completed_at is null and c.status in ${OPEN}
       and (c.sent_epoch is null or c.sent_epoch < q.epoch)
       and not exists (
         select 1 from agent_commands e
          where e.session_id = c.session_id and e.agent_id = c.agent_id and e.seq < c.seq and e.status in ${OPEN})`;

/** Agents of a JSON array of ids and epochs, as far as the epoch is still theirs. */
const CURRENT = `from json_to_recordset($1::json) as r(agent_id text, epoch bigint, room integer)
      join agents a on a.agent_id = r.agent_id and a.epoch = r.epoch`;

/**
 * Hands out what is due. The guard is on the command's own column: a claim under a newer epoch that commits first wins.
 * A command that somebody else is writing at the moment is left to the next sweep; so claims wait for nothing.
 * What was sent `$2` times is not sent again, but returned as `exhausted`.
 */
export const CLAIM = `
  with q as materialized (
    select a.id, a.agent_id, r.epoch, r.room ${CURRENT}
  ), due as materialized (
    select d.command_id, d.exhausted, q.agent_id, q.epoch
      from q cross join lateral (
        select c.command_id, c.retry_count >= $2 as exhausted from agent_commands c where ${DUE}
         order by c.created_at, c.command_id limit q.room for update of c skip locked) d
  )
  update agent_commands c
     set status = case when c.status = 'pending' and not d.exhausted then 'sent' else c.status end,
         sent_epoch = d.epoch,
         sent_at = case when d.exhausted then c.sent_at else now() end,
         retry_count = c.retry_count + case when d.exhausted then 0 else 1 end
    from due d
   where c.command_id = d.command_id
     and c.status in ${OPEN} and (c.sent_epoch is null or c.sent_epoch < d.epoch)
  returning c.command_id, d.agent_id, c.session_id, c.seq, c.generation, c.command_type, c.command_data, c.status,
            c.retry_count, c.deadline, c.created_at, d.exhausted`;

/**
 * Which of these agents have something due, or something that was handed out to them under the same epoch more than
 * `$2` ms ago and not acknowledged since.
 */
export const WAITING = `
  select q.agent_id
    from (select a.id, a.agent_id, r.epoch ${CURRENT}) q
   where exists (select 1 from agent_commands c where ${DUE})
      or exists (
        select 1 from agent_commands c
         where c.agent_id = q.id and c.completed_at is null and c.status in ('sent', 'ack')
           and c.sent_epoch = q.epoch and c.sent_at < now() - $2 * interval '1 millisecond'
           and (c.acked_at is null or c.acked_at < c.sent_at))`;

/**
 * Takes back what was handed out under this epoch, but for what is held. The agent may have it all the same: it stays
 * `sent`, with its attempt, so that a stop goes behind it and giving it up undoes it.
 */
export const RECALL = `
  with lost as materialized (
    select c.command_id
      from agents a join agent_commands c on c.agent_id = a.id
     where a.agent_id = $1 and a.epoch = $2 and c.completed_at is null and c.status in ${OPEN}
       and c.sent_epoch = $2
       and c.command_id not in (select json_array_elements_text($3::json))
     order by c.command_id for update of c
  )
  update agent_commands c set sent_epoch = null
    from lost l where c.command_id = l.command_id and c.status in ${OPEN} and c.sent_epoch = $2`;

/** The agent has these under way: they count as handed out under its epoch, and as acknowledged. */
export const RESUME = `
  with locked as materialized (
    select c.command_id, a.epoch
      from agents a join agent_commands c on c.agent_id = a.id
     where a.agent_id = $1 and a.epoch = $2
       and c.command_id in (select json_array_elements_text($3::json))
       and c.status in ${OPEN} and (c.sent_epoch is null or c.sent_epoch <= a.epoch)
     order by c.command_id for update of c
  )
  update agent_commands c
     set status = 'ack', sent_epoch = l.epoch, sent_at = coalesce(c.sent_at, now()),
         acked_at = coalesce(c.acked_at, now()), retry_count = greatest(c.retry_count, 1)
    from locked l
   where c.command_id = l.command_id and c.status in ${OPEN} and (c.sent_epoch is null or c.sent_epoch <= l.epoch)
  returning c.command_id`;

/** Handed out, and not acknowledged since. */
const UNACKNOWLEDGED = `(c.status = 'sent' or c.status = 'ack' and c.acked_at < c.sent_at)`;

/** What `REPORT` does, for acknowledgements only: no session is concerned. */
export const ACKNOWLEDGE = `
  with target as materialized (
    select g.command_id, g.epoch, c.session_id,
           coalesce(g.epoch < greatest(a.epoch, c.sent_epoch), false) as stale
      from json_to_recordset($1::json) as g(command_id text, agent_id text, epoch bigint)
      join agents a on a.agent_id = g.agent_id
      join agent_commands c on c.command_id = g.command_id and c.agent_id = a.id
     order by g.command_id
  ), done as (
    update agent_commands c set status = 'ack', acked_at = now()
      from target t
     where c.command_id = t.command_id and ${UNACKNOWLEDGED} and not t.stale
       and (t.epoch is null or c.sent_epoch <= t.epoch)
    returning c.command_id, c.session_id
  )
  select command_id, session_id, 'done' as verdict from done
  union all
  select command_id, session_id, 'stale' from target where stale`;

/** What a session becomes when its latest command, `d`, is completed, and from what. */
const BEFORE = `case d.command_type when 'start_session' then 'pending' when 'wake_session' then 'pending'
                  when 'hibernate_session' then 'running' when 'stop_session' then 'terminating' end`;
const AFTER = `case d.command_type when 'hibernate_session' then 'hibernated' when 'stop_session' then 'terminated'
                  else 'running' end`;

/** What a session becomes when its latest command, `d`, has failed. A wake that fails ends nothing: it was put away. */
const NOT_WOKEN = `d.command_type = 'wake_session' and s.state = 'pending' and s.desired_state = 'running'`;
const NOT_PUT_AWAY = `d.command_type = 'hibernate_session' and s.state = 'running' and s.desired_state = 'hibernated'`;
/** Nothing is there to wake or to put away: what was in it is lost, and its user is to know. */
const IS_GONE = `d.error_code is not distinct from 'session_not_found' and (${NOT_WOKEN} or ${NOT_PUT_AWAY})`;
const STATE_AFTER_FAILURE = `case when d.command_type = 'start_session' or ${IS_GONE} then 'failed'
                                  when ${NOT_WOKEN} then 'hibernated' else s.state end`;
const DESIRED_AFTER_FAILURE = `case when d.command_type = 'start_session' or ${IS_GONE} then 'terminated'
                                    when ${NOT_WOKEN} then 'hibernated'
                                    when ${NOT_PUT_AWAY} then 'running' else s.desired_state end`;

/**
 * Writes acknowledgements and outcomes, and what an outcome makes of its session: only the latest command for the agent
 * that the session is placed on, and of its present generation, says anything of it. What an older one says is history,
 * and what another agent says of its own remains is nothing to the session.
 *
 * Whether a command is the latest is decided as of the statement's start; `command_seq`, which each new command moves
 * under the session's lock, says whether that still holds. If not, nothing is written, and the row says `moved`. Rows
 * that are not returned were too late.
 */
export const REPORT = `
  with target as materialized (
    select g.*, c.session_id, s.command_seq,
           coalesce(g.epoch < greatest(a.epoch, c.sent_epoch), false) as stale
      from json_to_recordset($1::json) as g(
             command_id text, agent_id text, epoch bigint, status text, acked boolean,
             result jsonb, error_code text, error_message text)
      join agents a on a.agent_id = g.agent_id
      join agent_commands c on c.command_id = g.command_id and c.agent_id = a.id
      join sessions s on s.id = c.session_id
  ), held as materialized (
    select t.*, s.command_seq <> t.command_seq as moved
      from target t join sessions s on s.id = t.session_id
     where t.status <> 'ack' and not t.stale
     order by s.id for no key update of s
  ), ready as materialized (
    select command_id, epoch, status, acked, result, error_code, error_message from held where not moved
    union all
    select command_id, epoch, status, acked, result, error_code, error_message from target
     where status = 'ack' and not stale
     order by command_id
  ), done as (
    update agent_commands c
       set status = r.status, acked_at = case when not r.acked or c.acked_at >= c.sent_at then c.acked_at else now() end,
           completed_at = case when r.status = 'ack' then null else now() end,
           result = r.result, error_code = r.error_code, error_message = r.error_message
      from ready r
     where c.command_id = r.command_id and c.status in ${OPEN} and (r.status <> 'ack' or ${UNACKNOWLEDGED})
       and (r.epoch is null or c.sent_epoch is null or c.sent_epoch <= r.epoch)
    returning c.command_id, c.session_id, c.agent_id, c.generation, c.seq, c.command_type, c.status, c.result,
              c.error_code, c.error_message
  ), changed as (
    update sessions s
       set state = case when d.status = 'completed' then ${AFTER} else ${STATE_AFTER_FAILURE} end,
           desired_state = case when d.status = 'completed' then s.desired_state else ${DESIRED_AFTER_FAILURE} end,
           error_code = d.error_code, error_message = d.error_message,
           platform_metadata = coalesce(d.result -> 'platformMetadata', s.platform_metadata), updated_at = now()
      from done d
     where d.status <> 'ack'
       and s.id = d.session_id and s.generation = d.generation and s.agent_id = d.agent_id
       and case when d.status = 'completed' then s.state = ${BEFORE}
                else s.state in ('pending', 'running', 'terminating') end
       and not exists (
         select 1 from agent_commands n
          where n.session_id = d.session_id and n.agent_id = d.agent_id and n.seq > d.seq)
  )
  select command_id, session_id, 'done' as verdict from done
  union all
  select command_id, session_id, 'moved' from held where moved
  union all
  select command_id, session_id, 'stale' from target where stale`;
