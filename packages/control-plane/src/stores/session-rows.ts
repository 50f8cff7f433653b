import type { Session } from '../domain/session.js';
import type { Placement } from '../domain/scheduling.js';
import type { Queryable, Row } from './database.js';

export interface SessionRow extends Row {
  id: string;
  username: string;
  user_id: string;
  template: string;
  manifest: Record<string, unknown>;
  state: Session['state'];
  desired_state: string;
  platform: string;
  agent: string | null;
  generation: number;
  error_code: string | null;
  error_message: string | null;
  request_hash: Uint8Array;
  placement: Placement;
  /** Waits for an agent, and until now in vain. */
  is_waiting: boolean;
  /** Has waited for as long as it may. */
  is_overdue: boolean;
  created_at: Date;
  updated_at: Date;
}

/** What {@link toSession} reads of sessions `s`, their users `u` and agents `a`. */
export const SESSION_COLUMNS = `s.id, u.username, s.user_id, s.template, s.manifest, s.state, s.desired_state, s.platform,
         a.agent_id as agent, s.generation, s.error_code, s.error_message, s.request_hash, s.placement,
         s.agent_id is null and s.wait_until is not null and s.state = 'pending' as is_waiting,
         coalesce(s.wait_until <= now(), false) as is_overdue, s.created_at, s.updated_at`;

/** Sessions `s` with their users `u` and agents `a`. */
export const SESSIONS = `
  select ${SESSION_COLUMNS}
    from sessions s join users u on u.id = s.user_id left join agents a on a.id = s.agent_id`;

export const toSession = (row: SessionRow): Session => ({
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

export async function readSession(on: Queryable, id: string): Promise<SessionRow | undefined> {
  return (await on.query<SessionRow>(`${SESSIONS} where s.id = $1`, [id])).rows[0];
}

/** Locks the session's row until the end of the transaction, and reads it as it is then. */
export async function lockSession(tx: Queryable, id: string): Promise<SessionRow | undefined> {
  await tx.query('select 1 from sessions where id = $1 for no key update', [id]);
  return readSession(tx, id);
}
