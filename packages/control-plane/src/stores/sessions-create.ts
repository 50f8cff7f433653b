import type { NewSession } from '../domain/ports.js';
import { Refusal } from '../domain/errors.js';
import { noAgents, obstacles, rankAgents, type AgentLoad, type Placement } from '../domain/scheduling.js';
import type { Session } from '../domain/session.js';
import { bestAgents, countWaitingFor, lockAgent, readAgents, type AgentsView } from './agents-store.js';
import { insertCommand, newCommandId } from './commands.js';
import type { Queryable } from './database.js';
import { lockSession, readSession, toSession, type SessionRow } from './session-rows.js';
import { startPayload } from './start-payload.js';
import { toJsonText } from './storable.js';

/** What `platform` says of a session that may run on any, and waits. */
const ANY_PLATFORM = 'any';

type Created = { session: Session; created: boolean };

/** Locks are taken in this order everywhere: the session, its user, its agent. */
export async function createSession(
  tx: Queryable,
  request: NewSession,
  { deadline, ...view }: AgentsView & { deadline: number },
): Promise<Created> {
  const before = await lockSession(tx, request.id);
  if (before && !(hasEnded(before) && isSame(before, request))) return existing(before, request);
  await checkQuota(tx, request);
  const agent = await reserve(tx, request, { view, isNew: true, former: before?.agent ?? null }).catch(
    (error: unknown) => {
      if (isNoAgents(error) && (request.waitMs ?? 0) > 0) return undefined;
      throw error;
    },
  );
  const made = before ? await remake(tx, request, agent) : await insert(tx, request, agent);
  const row = await readSession(tx, request.id);
  if (!row) throw new Error(`session ${request.id} was written and is not there`);
  if (!made) return existing(row, request);
  if (agent) await insertStart(tx, row, agent.agentId, deadline);
  return { session: toSession(row), created: true };
}

function existing(row: SessionRow, request: NewSession): Created {
  if (!isSame(row, request))
    throw new Refusal(
      'session_exists',
      `There is a session ${request.id} already, and it was asked for differently.`,
      { remedy: 'Choose another id, or leave it out.' },
    );
  return { session: toSession(row), created: false };
}

const hasEnded = (row: SessionRow): boolean => row.state === 'terminated' || row.state === 'failed';

const isSame = (row: SessionRow, request: NewSession): boolean =>
  row.user_id === request.userId && Buffer.compare(row.request_hash, request.requestHash) === 0;

const isNoAgents = (error: unknown): error is Refusal =>
  error instanceof Refusal && error.code === 'no_agents_available';

/**
 * Counts with the user's row locked, so that many creations at once cannot each see room for one more. What could not be
 * stopped is not its user's doing.
 */
async function checkQuota(tx: Queryable, { quota = 0, userId }: NewSession): Promise<void> {
  if (quota === 0) return;
  await tx.query('select 1 from users where id = $1 for no key update', [userId]);
  const { rows } = await tx.query<{ count: number }>(
    `select count(*) from sessions where user_id = $1 and state not in ('terminated', 'failed')
        and not (state = 'terminating' and error_code is not null) and desired_state <> 'external'`,
    [userId],
  );
  const count = rows[0]!.count;
  if (count >= quota)
    throw new Refusal('quota_exceeded', `This user has ${count} sessions; ${quota} are allowed.`, {
      remedy: 'Stop one first.',
    });
}

async function insert(tx: Queryable, request: NewSession, agent: AgentLoad | undefined): Promise<boolean> {
  const inserted = await tx.query(
    `insert into sessions (id, user_id, template, manifest, state, desired_state, platform, agent_id, request_hash,
                           placement, wait_until)
     values ($1, $2, $3, $4::jsonb, 'pending', 'running', $5, (select id from agents where agent_id = $6), $7, $8::jsonb,
             now() + $9::bigint * interval '1 millisecond')
     on conflict (id) do nothing returning id`,
    [
      request.id,
      request.userId,
      request.template.name,
      toJsonText(request.template.manifest),
      agent?.platform ?? request.platform ?? ANY_PLATFORM,
      agent?.agentId ?? null,
      request.requestHash,
      toJsonText(placementOf(request)),
      agent ? null : (request.waitMs ?? 0),
    ],
  );
  return inserted.rows.length > 0;
}

/** The next generation of a session that has ended; its row is locked. */
async function remake(tx: Queryable, request: NewSession, agent: AgentLoad | undefined): Promise<boolean> {
  await tx.query(
    `update sessions
        set generation = generation + 1, state = 'pending', desired_state = 'running', manifest = $2::jsonb,
            platform = $3, agent_id = (select id from agents where agent_id = $4), platform_metadata = null,
            error_code = null, error_message = null, placement = $5::jsonb,
            wait_until = now() + $6::bigint * interval '1 millisecond', created_at = now(), updated_at = now()
      where id = $1`,
    [
      request.id,
      toJsonText(request.template.manifest),
      agent?.platform ?? request.platform ?? ANY_PLATFORM,
      agent?.agentId ?? null,
      toJsonText(placementOf(request)),
      agent ? null : (request.waitMs ?? 0),
    ],
  );
  return true;
}

const placementOf = ({ platform, region, labels, unisolated }: NewSession): Placement => ({
  ...(platform !== undefined && { platform }),
  ...(region !== undefined && { region }),
  ...(labels && Object.keys(labels).length > 0 && { labels }),
  ...(unisolated === false && { unisolated }),
});

async function insertStart(tx: Queryable, row: SessionRow, agentId: string, deadline: number): Promise<void> {
  await insertCommand(tx, {
    commandId: newCommandId(),
    agentId,
    sessionId: row.id,
    generation: row.generation,
    action: 'start_session',
    payload: startPayload({ user: row.username, template: row.template, manifest: row.manifest }),
    deadline,
  });
}

interface Reservation {
  view: AgentsView;
  /** Comes now, and leaves room to those that wait already. */
  isNew: boolean;
  /** The agent where it was before, and where its home is. */
  former: string | null;
}

/**
 * Takes the best agent that still has room once nobody else can place a session on it. An agent that turns out to have
 * none is unlocked again: who holds one agent waits for no other, so that no two placements wait for each other.
 *
 * @throws Refusal `no_agents_available`
 */
async function reserve(
  tx: Queryable,
  wanted: Placement,
  { view, isNew, former }: Reservation,
): Promise<AgentLoad> {
  const locked = new Map<string, AgentLoad>();
  const take = async (agentId: string): Promise<AgentLoad | undefined> => {
    const agent = await lockAgent(tx, agentId, view);
    const judged = agent && isNew ? await withPromises(tx, agent, wanted) : agent;
    if (judged && obstacles(judged, wanted).length === 0) return judged;
    await tx.query('rollback to savepoint before_agent');
    if (judged) locked.set(agentId, judged);
    return undefined;
  };
  await tx.query('savepoint before_agent');
  const best = await bestAgents(tx, wanted, view);
  for (const agentId of former === null ? best : [former, ...best.filter((id) => id !== former)]) {
    const agent = await take(agentId);
    if (agent) return agent;
  }
  // Those were filled meanwhile, or there is none: then each is looked at.
  const agents = await readAgents(tx, view);
  for (const candidate of rankAgents(agents, wanted)) {
    const agent = await take(candidate.agentId);
    if (agent) return agent;
  }
  throw noAgents(
    agents.map((agent) => locked.get(agent.agentId) ?? agent),
    wanted,
  );
}

/** The agent with how much of its room is for sessions that wait; counted only where it could be taken otherwise. */
async function withPromises(tx: Queryable, agent: AgentLoad, wanted: Placement): Promise<AgentLoad> {
  if (agent.maxSessions === 0 || obstacles(agent, wanted).length > 0) return agent;
  const room = agent.maxSessions - agent.sessions;
  return { ...agent, promised: await countWaitingFor(tx, agent.agentId, room) };
}

/**
 * A session that waits gets its agent, or fails when it has waited for too long. Resolves with it when it changed.
 */
export async function placeOne(
  tx: Queryable,
  id: string,
  { deadline, ...view }: AgentsView & { deadline: number },
): Promise<Session | undefined> {
  const row = await lockSession(tx, id);
  if (!row?.is_waiting) return undefined;
  try {
    const agent = await reserve(tx, row.placement, { view, isNew: false, former: null });
    await tx.query(
      `update sessions set agent_id = (select id from agents where agent_id = $2), platform = $3, wait_until = null,
              updated_at = now() where id = $1`,
      [id, agent.agentId, agent.platform],
    );
    await insertStart(tx, row, agent.agentId, deadline);
  } catch (error) {
    if (!isNoAgents(error)) throw error;
    if (!row.is_overdue) return undefined;
    await tx.query(
      `update sessions set state = 'failed', desired_state = 'terminated', wait_until = null, error_code = $2,
              error_message = $3, updated_at = now() where id = $1`,
      [id, error.code, `No agents available. ${error.message}`],
    );
  }
  const after = await readSession(tx, id);
  return after && toSession(after);
}
