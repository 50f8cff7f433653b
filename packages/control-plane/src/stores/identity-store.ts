import type { Identity } from '../auth/identity.js';
import type { IdentityStore, User } from '../auth/ports.js';
import type { Database } from './database.js';
import { isDatabaseError } from './database-error.js';
import { ROLE, toUser, type UserRow } from './users-store.js';

export function sqlIdentityStore(database: Database): IdentityStore {
  const find = async ({ issuer, subject }: Identity): Promise<User | undefined> => {
    const { rows } = await database.query<UserRow>(
      `select id, username, ${ROLE} from users where issuer = $1 and subject = $2`,
      [issuer, subject],
    );
    return rows[0] && toUser(rows[0]);
  };
  return {
    async put(identity) {
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
        if (!isDatabaseError(error) || error.code !== 'constraint') throw error;
        // The name of another user, or of this one: another request of the same moment may have added it.
        const found = await find(identity);
        return found?.username === username && found.role === role ? found : undefined;
      }
    },
  };
}
