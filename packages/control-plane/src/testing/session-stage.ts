import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { SessionState } from '@streamspace/protocol';
import type { HeldSession } from '../domain/ports.js';
import {
  SESSION_MACHINE,
  SESSION_ROWS,
  type SessionMachineEvent,
  type SessionMachineState,
} from '../domain/session-machine.js';
import type { Row } from '../stores/database.js';
import type { Fixtures } from './fixtures.js';

export const SESSION_STATES = Object.keys(SESSION_MACHINE.states) as SessionMachineState[];
export const SESSION_EVENTS = Object.keys(SESSION_MACHINE.events) as SessionMachineEvent[];

/** A start on the session's way into a state: something that the API does, or that its agent does. */
type Step = 'wait' | 'create' | 'hand_out' | 'complete' | 'fail' | 'hibernate' | 'wake' | 'stop' | 'adopt';

const RUNNING: readonly Step[] = ['create', 'hand_out', 'complete'];
const HIBERNATING: readonly Step[] = [...RUNNING, 'hibernate', 'hand_out'];
const STOPPING: readonly Step[] = [...RUNNING, 'stop', 'hand_out'];

/** How a session comes into each state. */
const PATHS: Readonly<Record<SessionMachineState, readonly Step[]>> = {
  waiting: ['wait'],
  placed: ['create'],
  starting: ['create', 'hand_out'],
  waking: [...HIBERNATING, 'complete', 'wake', 'hand_out'],
  running: RUNNING,
  hibernating: HIBERNATING,
  hibernated: [...HIBERNATING, 'complete'],
  stopping: STOPPING,
  stop_failed: [...STOPPING, 'fail'],
  terminated: [...STOPPING, 'complete'],
  failed: ['create', 'hand_out', 'fail'],
  failed_before_start: ['create', 'fail'],
  external: [...RUNNING, 'adopt'],
};

const HOUR_MS = 3_600_000;

/** An agent that no session but those of one event is placed on, so that its inventory speaks of these alone. */
export interface EventAgent {
  readonly agentId: string;
  readonly platform: string;
  readonly epoch: number;
}

/** A session in a state, for one event. */
export interface SessionCell {
  readonly state: SessionMachineState;
  readonly event: SessionMachineEvent;
  readonly sessionId: string;
  readonly agent: EventAgent;
}

/** What a session is, with its commands in their order. */
export interface SessionSnapshot extends Row {
  readonly id: string;
  readonly state: SessionState;
  readonly desired_state: HeldSession['desired'];
  readonly is_unplaced: boolean;
  readonly generation: number;
  readonly error_code: string | null;
  readonly commands: readonly {
    readonly id: string;
    readonly type: string;
    readonly status: string;
    readonly was_sent: boolean;
    /** For the agent that the session is placed on, of its generation. */
    readonly is_current: boolean;
  }[];
}

export async function snapshots(on: Fixtures, ids: readonly string[]): Promise<Map<string, SessionSnapshot>> {
  const { rows } = await on.database.query<SessionSnapshot>(
    `select s.id, s.state, s.desired_state, s.agent_id is null as is_unplaced, s.generation, s.error_code,
            coalesce((select jsonb_agg(jsonb_build_object(
                               'id', c.command_id, 'type', c.command_type, 'status', c.status,
                               'was_sent', c.sent_at is not null or c.retry_count > 0,
                               'is_current', c.agent_id is not distinct from s.agent_id
                                             and c.generation = s.generation) order by c.seq)
                        from agent_commands c where c.session_id = s.id), '[]'::jsonb) as commands
       from sessions s where s.id in (select json_array_elements_text($1::json))`,
    [JSON.stringify(ids)],
  );
  return new Map(rows.map((row) => [row.id, row]));
}

/** The state of the machine that a row and its commands stand for. */
export function stateOf({ commands, ...row }: SessionSnapshot): SessionMachineState {
  const current = commands.filter((command) => command.is_current);
  const open = current.filter(({ status }) => status !== 'completed' && status !== 'failed');
  if (row.desired_state === 'external') return 'external';
  switch (row.state) {
    case 'pending':
      if (row.is_unplaced) return 'waiting';
      if (open.some(({ type }) => type === 'wake_session')) return 'waking';
      return open.some((command) => command.was_sent) ? 'starting' : 'placed';
    case 'running':
      return row.desired_state === 'hibernated' ? 'hibernating' : 'running';
    case 'hibernated':
      return 'hibernated';
    case 'terminating':
      return open.some(({ type }) => type === 'stop_session') ? 'stopping' : 'stop_failed';
    case 'terminated':
      return 'terminated';
    case 'failed':
      return current.some((command) => command.was_sent) ? 'failed' : 'failed_before_start';
  }
}

/** Takes one session along the path of a state. */
async function bring(on: Fixtures, userId: string, state: SessionMachineState): Promise<string> {
  const agent = await on.addAgent();
  const request = on.request({ userId, platform: agent.platform });
  const { id } = request;
  const finish = async (isSuccess: boolean): Promise<void> => {
    const commandId = (await snapshots(on, [id])).get(id)!.commands.at(-1)!.id;
    const outcome = isSuccess
      ? ({ state: 'completed' } as const)
      : ({ state: 'failed', error: 'It did not work.', code: 'command_failed' } as const);
    assert.ok(await on.commands.finish(commandId, agent.agentId, outcome, agent.epoch));
  };
  const steps: Record<Step, () => Promise<unknown>> = {
    wait: () => on.createSession({ ...request, platform: `no-${randomUUID()}`, waitMs: HOUR_MS }),
    create: () => on.createSession(request),
    hand_out: () => on.commands.claim(agent.agentId, agent.epoch, 1),
    complete: () => finish(true),
    fail: () => finish(false),
    hibernate: () => on.sessions.hibernate(id),
    wake: () => on.sessions.wake(id),
    stop: () => on.sessions.stop(id),
    async adopt() {
      await on.database.query('delete from agent_commands where session_id = $1', [id]);
      await on.database.query(`update sessions set desired_state = 'external' where id = $1`, [id]);
    },
  };
  for (const step of PATHS[state]) await steps[step]();
  return id;
}

/**
 * A session for each cell: one is brought into each state, and copied for each event, onto that event's agent. What has
 * ended did so a minute ago: what has just ended is not judged yet.
 */
export async function stageSessions(on: Fixtures): Promise<{ userId: string; cells: SessionCell[] }> {
  const { id: userId } = await on.addUser();
  const [sources, agents] = await Promise.all([
    Promise.all(SESSION_STATES.map((state) => bring(on, userId, state))),
    Promise.all(SESSION_EVENTS.map(() => on.addAgent())),
  ]);
  const cells = SESSION_EVENTS.flatMap((event, at) =>
    SESSION_STATES.map((state): SessionCell => {
      return { state, event, sessionId: `s-${randomUUID().slice(0, 13)}`, agent: agents[at]! };
    }),
  );
  const copies = JSON.stringify(
    cells.map(({ state, event, sessionId, agent }) => ({
      source: sources[SESSION_STATES.indexOf(state)],
      id: sessionId,
      agent_id: agent.agentId,
      epoch: agent.epoch,
      platform: event === 'place' ? agent.platform : `no-${sessionId}`,
      is_overdue: event === 'wait_over',
      is_due: event === 'give_up',
    })),
  );
  const given = `json_to_recordset($1::json) as g(
    source text, id text, agent_id text, epoch bigint, platform text, is_overdue boolean, is_due boolean)
    join agents a on a.agent_id = g.agent_id`;
  await on.database.query(
    `insert into sessions (id, user_id, template, manifest, state, desired_state, platform, agent_id, generation,
                           command_seq, error_code, error_message, request_hash, placement, wait_until)
     select g.id, s.user_id, s.template, s.manifest, s.state, s.desired_state, g.platform,
            case when s.agent_id is not null then a.id end, s.generation, s.command_seq, s.error_code, s.error_message,
            s.request_hash, jsonb_build_object('platform', g.platform),
            s.wait_until - case when g.is_overdue then interval '2 hours' else interval '0' end
       from ${given} join sessions s on s.id = g.source`,
    [copies],
  );
  await on.database.query(
    `insert into agent_commands (command_id, agent_id, session_id, seq, generation, command_type, command_data, status,
                                 retry_count, sent_epoch, deadline, error_code, error_message, sent_at, acked_at,
                                 completed_at)
     select gen_random_uuid()::text, a.id, g.id, c.seq, c.generation, c.command_type, c.command_data, c.status,
            c.retry_count, case when c.sent_epoch is not null then g.epoch end,
            now() + case when g.is_due then interval '-1 second' else interval '1 hour' end, c.error_code,
            c.error_message, c.sent_at, c.acked_at, c.completed_at - interval '1 minute'
       from ${given} join agent_commands c on c.session_id = g.source`,
    [copies],
  );
  return { userId, cells };
}

/** Names what is not in the state that it should have been brought into. */
export const misplaced = (
  cells: readonly SessionCell[],
  seen: ReadonlyMap<string, SessionSnapshot>,
): string[] =>
  cells.flatMap(({ state, sessionId }) => {
    const row = seen.get(sessionId)!;
    const { state: stored, desired } = SESSION_ROWS[state];
    const isRight = stateOf(row) === state && row.state === stored && row.desired_state === desired;
    return isRight ? [] : [`${stateOf(row)} (${row.state}, ${row.desired_state}) in place of ${state}`];
  });
