import { cutText } from '@streamspace/protocol';
import type { AuditStore, EventStore } from '../domain/timeline.js';
import type { Database, Row } from './database.js';
import { storableText, toJsonText } from './storable.js';

/** Most events of one session that agents may add within a minute; the rest is dropped. */
const EVENTS_PER_MINUTE = 120;
/** Longest message, in characters; the rest is cut off. */
const MESSAGE_CHARS = 2_000;
/** Most data of one event, in characters of JSON; larger data is left out and `data_dropped` says so. */
const DATA_CHARS = 8_192;

interface EventRow extends Row {
  id: number;
  session_id: string;
  generation: number;
  kind: string;
  message: string;
  data: Record<string, unknown>;
  at: Date;
}

function dataText(data: Readonly<Record<string, unknown>> | undefined): string {
  const text = toJsonText(data ?? {});
  return text.length <= DATA_CHARS ? text : toJsonText({ data_dropped: text.length });
}

export function sqlEventStore(database: Database): EventStore {
  return {
    async append({ agentId, epoch, sessionId, generation, kind, message, data }) {
      const { rowCount } = await database.query(
        `insert into session_events (session_id, generation, kind, message, data)
         select s.id, $4, $5, $6, $7::jsonb
           from sessions s join agents a on a.id = s.agent_id
          where s.id = $1 and a.agent_id = $2 and a.epoch = $3 and s.generation <= $4
            and (select count(*)
                   from (select at from session_events where session_id = $1 order by id desc limit ${EVENTS_PER_MINUTE}) n
                  where n.at > now() - interval '1 minute') < ${EVENTS_PER_MINUTE}`,
        [
          sessionId,
          agentId,
          epoch,
          generation,
          storableText(kind),
          storableText(cutText(message, MESSAGE_CHARS)),
          dataText(data),
        ],
      );
      return rowCount > 0;
    },

    async list(sessionId, { after = 0, limit }) {
      const { rows } = await database.query<EventRow>(
        `select id, session_id, generation, kind, message, data, at from session_events
          where session_id = $1 and id > $2 order by id limit $3`,
        [sessionId, after, limit],
      );
      return rows.map(({ session_id, ...row }) => ({ sessionId: session_id, ...row }));
    },
  };
}

interface AuditRow extends Row {
  id: number;
  at: Date;
  actor_id: string | null;
  actor: string;
  action: string;
  target: string | null;
  address: string | null;
  data: Record<string, unknown>;
}

export function sqlAuditStore(database: Database): AuditStore {
  return {
    async append({ actorId, actor, action, target, address, data }) {
      await database.query(
        `insert into audit_entries (actor_id, actor, action, target, address, data)
         values ($1::uuid, coalesce((select username from users where id = $1::uuid), $2, 'unknown'), $3, $4, $5, $6::jsonb)`,
        [
          actorId ?? null,
          actor === undefined ? null : storableText(actor),
          action,
          target === undefined ? null : storableText(target),
          address ?? null,
          dataText(data),
        ],
      );
    },

    async list({ before, limit }) {
      const { rows } = await database.query<AuditRow>(
        `select id, at, actor_id, actor, action, target, address, data from audit_entries
          where $1::bigint is null or id < $1::bigint order by id desc limit $2`,
        [before ?? null, limit],
      );
      return rows.map(({ actor_id, ...row }) => ({ actorId: actor_id, ...row }));
    },
  };
}
