import type { Database } from './database.js';

/** How long what is over is kept, in days. */
export interface Retention {
  readonly commandsDays: number;
  readonly eventsDays: number;
  readonly auditDays: number;
}

/** Rows that one statement deletes at most: none holds locks for long, or fills the log at once. */
const BATCH = 1_000;
/** Statements of one round per table at most; the rest is left for the next round. */
const BATCHES = 50;
/** Newest commands of a session that has not ended which are kept whatever their age: its state follows from them. */
const KEPT_COMMANDS = 20;

/** What may be deleted, by table, `$1` being the oldest time that is kept. */
const OLD = {
  agent_commands: `
    select c.ctid from agent_commands c left join sessions s on s.id = c.session_id
     where c.created_at < $1::timestamptz and c.status in ('completed', 'failed')
       and (s.id is null or s.state in ('terminated', 'failed') or c.seq <= s.command_seq - ${KEPT_COMMANDS})`,
  session_events: 'select ctid from session_events where at < $1::timestamptz',
  audit_entries: 'select ctid from audit_entries where at < $1::timestamptz',
} as const;

const DAY_MS = 24 * 60 * 60_000;

/** Deletes what is older than it need be, in batches. Resolves with how many rows went. */
export async function deleteOld(
  database: Database,
  retention: Retention,
  now: number = Date.now(),
): Promise<number> {
  const days = {
    agent_commands: retention.commandsDays,
    session_events: retention.eventsDays,
    audit_entries: retention.auditDays,
  };
  let deleted = 0;
  for (const [table, old] of Object.entries(OLD)) {
    const oldest = new Date(now - days[table as keyof typeof OLD] * DAY_MS);
    for (let batch = 0; batch < BATCHES; batch++) {
      const { rowCount } = await database.query(
        `delete from ${table} where ctid = any (array(${old} limit ${BATCH}))`,
        [oldest],
      );
      deleted += rowCount;
      if (rowCount < BATCH) break;
    }
  }
  return deleted;
}
