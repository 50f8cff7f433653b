import { obstacles, type Placement } from '../domain/scheduling.js';
import type { Session } from '../domain/session.js';
import { readAgents, type AgentsView } from './agents-store.js';
import type { Database, Queryable, Row } from './database.js';

/** How many of the sessions that wait are read at once. */
const PAGE = 200;
/** How many are looked at in one round; the next one goes on after them. */
const LOOKED_AT = 10_000;
/** How many are judged in one round, each by all agents or in a transaction; the next one goes on after them. */
const JUDGED = 200;

interface WaitingRow extends Row {
  id: string;
  /** As the database writes it: a `Date` is less precise, and would skip or repeat sessions. */
  created: string;
  placement: Placement;
  is_overdue: boolean;
}

/** Where a round stopped. */
type Position = Pick<WaitingRow, 'id' | 'created'>;

async function readPage(on: Queryable, after: Position | undefined): Promise<WaitingRow[]> {
  const { rows } = await on.query<WaitingRow>(
    `select id, created_at::text as created, placement, wait_until <= now() as is_overdue from sessions
      where agent_id is null and wait_until is not null and state = 'pending'
        and ($1::timestamptz is null or (created_at, id) > ($1::timestamptz, $2::text))
      order by created_at, id limit ${PAGE}`,
    [after?.created ?? null, after?.id ?? null],
  );
  return rows;
}

export interface WaitingOptions extends AgentsView {
  database: Database;
}

/**
 * A function that makes one round through the sessions that wait, the oldest first, and resolves with those that
 * `place` changed. A round has bounded work. One that comes to its end is followed by one from the oldest; one that
 * reached a limit or failed, by one from there: no session keeps those behind it from their turn.
 */
export function waitingRounds(
  options: WaitingOptions,
  place: (id: string) => Promise<Session | undefined>,
): () => Promise<Session[]> {
  const { database } = options;
  let stopped: Position | undefined;

  return async () => {
    let position = stopped;
    let page = await readPage(database, position);
    const agents = page.length > 0 ? await readAgents(database, options) : [];
    const changed: Session[] = [];
    /** Placements that nobody can take now: as a rule nothing need be locked to know that, and each is judged once. */
    const hopeless = new Set<string>();
    let judged = 0;
    for (
      let looked = 0;
      page.length > 0;
      page = page.length < PAGE ? [] : await readPage(database, position)
    ) {
      for (const { id, created, placement, is_overdue: isOverdue } of page) {
        const like = JSON.stringify(placement);
        const isHopeless = hopeless.has(like);
        if ((isOverdue || !isHopeless) && judged++ >= JUDGED) return changed;
        stopped = position = { id, created };
        if (!isOverdue && (isHopeless || !agents.some((agent) => obstacles(agent, placement).length === 0))) {
          hopeless.add(like);
          continue;
        }
        const session = await place(id);
        if (session) changed.push(session);
        // Nobody can take it after all; or somebody else is at it, and then at its like too.
        if (session?.agentId == null) hopeless.add(like);
      }
      looked += page.length;
      if (looked >= LOOKED_AT) return changed;
    }
    stopped = undefined;
    return changed;
  };
}
