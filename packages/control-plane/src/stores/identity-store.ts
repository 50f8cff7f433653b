import type { Identity } from '../auth/identity.js';
import type { IdentityStore, User } from '../auth/ports.js';
import type { Database } from './database.js';
import { isDatabaseError } from './database-error.js';
import { ROLE, toUser, type UserRow } from './users-store.js';

const isConstraint = (error: unknown): boolean => isDatabaseError(error) && error.code === 'constraint';

export function sqlIdentityStore(database: Database): IdentityStore {
  const find = async ({ issuer, subject }: Identity): Promise<User | undefined> => {
    const { rows } = await database.query<UserRow>(
      `select id, username, ${ROLE} from users where issuer = $1 and subject = $2`,
      [issuer, subject],
    );
    return rows[0] && toUser(rows[0]);
  };

  /** @returns `undefined` where a user has the name, be it this one, whom another request has just added */
  const write = async (identity: Identity): Promise<User | undefined> => {
    const { issuer, subject, username, role } = identity;
    try {
      const { rows } = await database.query<UserRow>(
        `insert into users as u (username, role, issuer, subject) values ($1, $2, $3, $4)
         on conflict (issuer, subject) where issuer is not null do update
           set username = excluded.username, role = excluded.role, updated_at = now()
           where u.username <> excluded.username or u.role <> excluded.role
         returning id, username, role`,
        [username, role, issuer, subject],
      );
      return rows[0] ? toUser(rows[0]) : await find(identity);
    } catch (error) {
      if (isConstraint(error)) return undefined;
      throw error;
    }
  };

  /** Gives another name to the user of the same issuer who had this one: an issuer gives a name to one person at a time. */
  const free = async ({ issuer, subject, username }: Identity): Promise<void> => {
    await database.query(
      `update users set username = left(username, 150) || '-' || left(id::text, 8), updated_at = now()
        where issuer = $1 and subject <> $2 and lower(username) = lower($3)`,
      [issuer, subject, username],
    );
  };

  return {
    async put(identity) {
      const written = await write(identity);
      if (written) return written;
      await free(identity);
      return write(identity);
    },
  };
}
