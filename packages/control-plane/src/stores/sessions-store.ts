import type { Judged, NewSession, SessionStore } from '../domain/ports.js';
import { Refusal } from '../domain/errors.js';
import { noAgents, obstacle, type AgentLoad } from '../domain/scheduling.js';
import type { Session } from '../domain/session.js';
import { lockAgent, readAgents } from './agents-store.js';
import { insertCommand, newCommandId } from './commands.js';
import type { Database, Queryable, Row } from './database.js';
import { retryConflicts } from './retry.js';
import { heldBy, markFailed, markTerminated, restart, stopHeld } from './sessions-reconcile.js';
import { startPayload } from './start-payload.js';
import { toJsonText } from './storable.js';

export interface SqlSessionStoreOptions {
  database: Database;
  /** Time that a command gets, in ms. */
  commandTimeoutMs: number;
  /** An agent that was not heard of for this long counts as offline, in ms. */
  staleAfterMs: number;
}

interface SessionRow extends Row {
  id: string;
  username: string;
  user_id: string;
  template: string;
  state: Session['state'];
  platform: string;
  agent: string | null;
  generation: number;
  error_code: string | null;
  error_message: string | null;
  request_hash: Uint8Array;
  created_at: Date;
  updated_at: Date;
}

const SESSIONS = `
  select s.id, u.username, s.user_id, s.template, s.state, s.platform, a.agent_id as agent, s.generation,
         s.error_code, s.error_message, s.request_hash, s.created_at, s.updated_at
    from sessions s join users u on u.id = s.user_id left join agents a on a.id = s.agent_id`;

const toSession = (row: SessionRow): Session => ({
  id: row.id,
  user: row.username,
  userId: row.user_id,
  template: row.template,
  state: row.state,
  platform: row.platform,
  agentId: row.agent,
  generation: row.generation,
  error: row.error_code === null ? null : { code: row.error_code, message: row.error_message ?? '' },
  createdAt: row.created_at,
  updatedAt: row.updated_at,
});

async function read(on: Queryable, id: string): Promise<SessionRow | undefined> {
  return (await on.query<SessionRow>(`${SESSIONS} where s.id = $1`, [id])).rows[0];
}

/** How many sessions one listing returns at most, the newest. */
const LIST_LIMIT = 1_000;

export function sqlSessionStore({
  database,
  commandTimeoutMs,
  staleAfterMs,
}: SqlSessionStoreOptions): SessionStore {
  const transaction = <T>(work: (tx: Queryable) => Promise<T>): Promise<T> =>
    retryConflicts(() => database.transaction(work));
  const deadline = (): number => Date.now() + commandTimeoutMs;

  return {
    create: (request, rank) =>
      transaction((tx) => create(tx, request, rank, { deadline: deadline(), staleAfterMs })),

    async find(id) {
      const row = await read(database, id);
      return row && toSession(row);
    },

    async list({ userId }) {
      const { rows } = await database.query<SessionRow>(
        `${SESSIONS} where $1::uuid is null or s.user_id = $1::uuid order by s.created_at desc, s.id limit ${LIST_LIMIT}`,
        [userId ?? null],
      );
      return rows.map(toSession);
    },

    stop: (id) => transaction((tx) => stop(tx, id, deadline())),

    heldBy: (agentId, ids) => heldBy(database, agentId, ids),
    restart: (judged, generation) => transaction((tx) => restart(tx, judged, generation, deadline())),
    stopHeld: (judged, generation) => transaction((tx) => stopHeld(tx, judged, generation, deadline())),
    markTerminated: (judged: Judged) => transaction((tx) => markTerminated(tx, judged)),
    markFailed: (judged, error) => transaction((tx) => markFailed(tx, judged, error)),
  };
}

function existing(row: SessionRow, request: NewSession): { session: Session; created: boolean } {
  if (!isSame(row, request))
    throw new Refusal(
      'session_exists',
      `There is a session ${request.id} already, and it was asked for differently.`,
      {
        remedy: 'Choose another id, or leave it out.',
      },
    );
  return { session: toSession(row), created: false };
}

async function create(
  tx: Queryable,
  request: NewSession,
  rank: (agents: readonly AgentLoad[]) => readonly AgentLoad[],
  { deadline, staleAfterMs }: { deadline: number; staleAfterMs: number },
): Promise<{ session: Session; created: boolean }> {
  await tx.query('select 1 from sessions where id = $1 for update', [request.id]);
  const before = await read(tx, request.id);
  if (before && !(hasEnded(before) && isSame(before, request))) return existing(before, request);
  const agent = await reserve(tx, preferring(before?.agent, rank), request.platform, staleAfterMs);
  const made = before ? await remake(tx, request, agent) : await insert(tx, request, agent);
  const row = await read(tx, request.id);
  if (!row) throw new Error(`session ${request.id} was written and is not there`);
  if (!made) return existing(row, request);
  await insertCommand(tx, {
    commandId: newCommandId(),
    agentId: agent.agentId,
    sessionId: request.id,
    generation: row.generation,
    action: 'start_session',
    payload: startPayload({
      user: row.username,
      template: row.template,
      manifest: request.template.manifest,
    }),
    deadline,
  });
  return { session: toSession(row), created: true };
}

async function insert(tx: Queryable, request: NewSession, agent: AgentLoad): Promise<boolean> {
  const inserted = await tx.query(
    `insert into sessions (id, user_id, template, manifest, state, desired_state, platform, agent_id, request_hash)
     select $1, $2, $3, $4::jsonb, 'pending', 'running', a.platform, a.id, $5 from agents a where a.agent_id = $6
     on conflict (id) do nothing returning id`,
    [
      request.id,
      request.userId,
      request.template.name,
      toJsonText(request.template.manifest),
      request.requestHash,
      agent.agentId,
    ],
  );
  return inserted.rows.length > 0;
}

/** The next generation of a session that has ended; its row is locked. */
async function remake(tx: Queryable, request: NewSession, agent: AgentLoad): Promise<boolean> {
  await tx.query(
    `update sessions s
        set generation = s.generation + 1, state = 'pending', desired_state = 'running', manifest = $2::jsonb,
            platform = a.platform, agent_id = a.id, platform_metadata = null, error_code = null, error_message = null,
            created_at = now(), updated_at = now()
       from agents a where s.id = $1 and a.agent_id = $3`,
    [request.id, toJsonText(request.template.manifest), agent.agentId],
  );
  return true;
}

const hasEnded = (row: SessionRow): boolean => row.state === 'terminated' || row.state === 'failed';

const isSame = (row: SessionRow, request: NewSession): boolean =>
  row.user_id === request.userId && Buffer.compare(row.request_hash, request.requestHash) === 0;

/** Where a session was before is where its home is. */
function preferring(
  agentId: string | null | undefined,
  rank: (agents: readonly AgentLoad[]) => readonly AgentLoad[],
): (agents: readonly AgentLoad[]) => readonly AgentLoad[] {
  return (agents) => {
    const ranked = rank(agents);
    const former = ranked.filter((agent) => agent.agentId === agentId);
    return [...former, ...ranked.filter((agent) => agent.agentId !== agentId)];
  };
}

/** Takes the best agent that still has room once nobody else can place a session on it. */
async function reserve(
  tx: Queryable,
  rank: (agents: readonly AgentLoad[]) => readonly AgentLoad[],
  platform: string | undefined,
  staleAfterMs: number,
): Promise<AgentLoad> {
  const agents = await readAgents(tx, staleAfterMs);
  const seen = new Map<string, AgentLoad>(agents.map((agent) => [agent.agentId, agent]));
  for (const candidate of rank(agents)) {
    const agent = await lockAgent(tx, candidate.agentId, staleAfterMs);
    if (agent && obstacle(agent, platform) === undefined) return agent;
    if (agent) seen.set(agent.agentId, agent);
  }
  throw noAgents([...seen.values()], platform);
}

/** What another agent is told about session `$1` is its own affair. */
const OF_ITS_AGENT = 'agent_id = (select agent_id from sessions where id = $1)';

async function stop(tx: Queryable, id: string, deadline: number): Promise<Session | undefined> {
  await tx.query('select 1 from sessions where id = $1 for update', [id]);
  const row = await read(tx, id);
  if (!row || row.state === 'terminated' || row.state === 'terminating') return row && toSession(row);
  // A start that nobody has seen need not be undone.
  await tx.query(
    `update agent_commands
        set status = 'failed', completed_at = now(), error_code = 'cancelled', error_message = 'The session was stopped first.'
      where session_id = $1 and status = 'pending' and ${OF_ITS_AGENT}`,
    [id],
  );
  const { rows } = await tx.query(
    `select 1 from agent_commands where session_id = $1 and retry_count > 0 and ${OF_ITS_AGENT} limit 1`,
    [id],
  );
  const wasSeen = rows.length > 0 && row.agent !== null;
  await tx.query(
    `update sessions set state = $2, desired_state = 'terminated', error_code = null, error_message = null,
            updated_at = now() where id = $1`,
    [id, wasSeen ? 'terminating' : 'terminated'],
  );
  if (wasSeen)
    await insertCommand(tx, {
      commandId: newCommandId(),
      agentId: row.agent!,
      sessionId: id,
      generation: row.generation,
      action: 'stop_session',
      payload: {},
      deadline,
    });
  const after = await read(tx, id);
  return after && toSession(after);
}
