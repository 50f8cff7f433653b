import type { SessionPage, SessionPosition, SessionQuery } from '../domain/ports.js';
import type { Queryable } from './database.js';
import { SESSION_COLUMNS, toSession, type SessionRow } from './session-rows.js';

interface ListedRow extends SessionRow {
  is_living: boolean;
  created_at_us: number;
}

/** One page. Takes the sessions from the index first and joins those only, whatever the planner believes of the rest. */
export async function listSessions(
  on: Queryable,
  { userId, after, limit }: SessionQuery,
): Promise<SessionPage> {
  const values: unknown[] = [limit + 1];
  const value = (given: unknown): string => `$${values.push(given)}`;
  const conditions = [
    ...(userId === undefined ? [] : [`user_id = ${value(userId)}::uuid`]),
    ...(after ? [`(is_living, created_at, id) < ${place(after, value)}`] : []),
  ];
  const where = conditions.length > 0 ? `where ${conditions.join(' and ')}` : '';
  const { rows } = await on.query<ListedRow>(
    `with page as materialized (
       select * from sessions ${where} order by is_living desc, created_at desc, id desc limit $1::integer
     )
     select ${SESSION_COLUMNS}, s.is_living,
            (extract(epoch from s.created_at) * 1000000)::bigint as created_at_us
       from page s join users u on u.id = s.user_id left join agents a on a.id = s.agent_id
      order by s.is_living desc, s.created_at desc, s.id desc`,
    values,
  );
  const listed = rows.slice(0, limit);
  const last = rows.length > limit ? listed.at(-1) : undefined;
  return { sessions: listed.map(toSession), next: last && positionOf(last) };
}

const place = ({ isLiving, createdAtUs, id }: SessionPosition, value: (given: unknown) => string): string =>
  `(${value(isLiving)}::boolean, timestamptz 'epoch' + ${value(createdAtUs)}::bigint * interval '1 microsecond', ${value(id)}::text)`;

const positionOf = (row: ListedRow): SessionPosition => ({
  isLiving: row.is_living,
  createdAtUs: row.created_at_us,
  id: row.id,
});
