import type { SetupStore, TicketStore, User, UserStore } from '../auth/ports.js';
import { foldUsername } from '../auth/usernames.js';
import { Refusal } from '../domain/errors.js';
import type { Role, ViewerMode } from '../domain/session.js';
import type { Database, Queryable } from './database.js';

export interface UserRow extends Record<string, unknown> {
  id: string;
  username: string;
  role: Role;
  password_hash: string | null;
}

/** Other roles came with the users of an earlier version; they give no rights here. */
export const ROLE = `case when role = 'admin' then 'admin' else 'user' end as role`;

/** Whether user `u` has a password that was set here. One of an earlier version is hashed in another way, or missing. */
const HAS_PASSWORD = `coalesce(u.password_hash, '') <> '' and u.password_hash not like '$2%'`;

export const toUser = ({ id, username, role }: UserRow): User => ({ id, username, role });

async function hasAdmin(on: Queryable): Promise<boolean> {
  const { rows } = await on.query(`select 1 from users u where role = 'admin' and ${HAS_PASSWORD} limit 1`);
  return rows.length > 0;
}

const isAscii = (text: string): boolean => /^[\x01-\x7f]*$/.test(text);

export function sqlUserStore(database: Database): UserStore {
  const find = async (
    where: string,
    values: string[],
  ): Promise<(User & { passwordHash: string | undefined }) | undefined> => {
    const { rows } = await database.query<UserRow>(
      `select id, username, ${ROLE}, case when ${HAS_PASSWORD} then password_hash end as password_hash
         from users u where ${where}`,
      values,
    );
    return rows[0] && { ...toUser(rows[0]), passwordHash: rows[0].password_hash ?? undefined };
  };
  return {
    async find(id) {
      const { rows } = await database.query<UserRow>(
        `select id, username, ${ROLE} from users where id = $1`,
        [id],
      );
      return rows[0] && toUser(rows[0]);
    },
    async findByName(username) {
      const folded = foldUsername(username);
      // Two users of an earlier version can have such names where the database folds other letters, as in Turkish.
      const found = await find(`lower(u.username collate "C") = $1 order by u.username = $2 desc limit 1`, [
        folded,
        username,
      ]);
      if (found || isAscii(folded)) return found;
      // `octet_length`: only names that have such characters themselves, or `admİn` would be `admin`.
      return find('lower(u.username) = lower($1) and octet_length(u.username) <> length(u.username)', [
        username,
      ]);
    },
    hasAdmin: () => hasAdmin(database),
  };
}

/** Set-up takes the table of tokens as its lock: one administrator, and one valid token, whatever happens at once. */
const LOCK_SETUP = 'lock table setup_tokens in exclusive mode';

export function sqlSetupStore(database: Database): SetupStore {
  return {
    replaceToken: (hash, lifetimeMs) =>
      database.transaction(async (tx) => {
        await tx.query(LOCK_SETUP);
        if (await hasAdmin(tx)) return false;
        await tx.query('delete from setup_tokens');
        await tx.query(
          `insert into setup_tokens (token_hash, expires_at) values ($1, now() + $2 * interval '1 millisecond')`,
          [hash, lifetimeMs],
        );
        return true;
      }),
    async check(tokenHash) {
      if (await hasAdmin(database)) return 'setup_done';
      const { rows } = await database.query(
        'select 1 from setup_tokens where token_hash = $1 and expires_at > now()',
        [tokenHash],
      );
      return rows.length > 0 ? 'ok' : 'token_invalid';
    },
    createAdmin: (tokenHash, { username, passwordHash }) =>
      database.transaction(async (tx) => {
        await tx.query(LOCK_SETUP);
        if (await hasAdmin(tx)) return 'setup_done';
        const token = await tx.query(
          'select 1 from setup_tokens where token_hash = $1 and expires_at > now()',
          [tokenHash],
        );
        if (token.rows.length === 0) return 'token_invalid';
        await tx.query('delete from setup_tokens');
        const { rows } = await tx.query<UserRow>(
          // A user of an earlier version who cannot log in becomes the administrator, with all that is his.
          `insert into users as u (username, password_hash, role) values ($1, $2, 'admin')
           on conflict (lower(username)) do update
             set password_hash = excluded.password_hash, role = 'admin', updated_at = now()
             where not (${HAS_PASSWORD}) and u.issuer is null and lower(u.username collate "C") = lower(excluded.username collate "C")
           returning id, username, role`,
          [username, passwordHash],
        );
        // Somebody has this name and a password: he may log in, and this is no way to take his account.
        if (!rows[0])
          throw new Refusal('user_exists', `There is a user ${username} already.`, {
            remedy: 'Choose another name.',
          });
        return toUser(rows[0]);
      }),
  };
}

export function sqlTicketStore(database: Database): TicketStore {
  return {
    async create(hash, { sessionId, userId, mode }, lifetimeMs) {
      const { rows } = await database.query<{ expires_at: Date }>(
        `insert into viewer_tickets (token_hash, session_id, user_id, mode, expires_at)
         values ($1, $2, $3, $4, now() + $5 * interval '1 millisecond') returning expires_at`,
        [hash, sessionId, userId, mode, lifetimeMs],
      );
      return rows[0]!.expires_at;
    },
    async take(hash) {
      const { rows } = await database.query<{
        session_id: string;
        user_id: string;
        mode: ViewerMode;
        valid: boolean;
      }>(
        'delete from viewer_tickets where token_hash = $1 returning session_id, user_id, mode, expires_at > now() as valid',
        [hash],
      );
      const row = rows[0];
      return row?.valid ? { sessionId: row.session_id, userId: row.user_id, mode: row.mode } : undefined;
    },
    async deleteExpired() {
      await database.query('delete from viewer_tickets where expires_at <= now()');
    },
  };
}
