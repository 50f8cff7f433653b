import type { LoginStore, RefreshAttempt } from '../auth/ports.js';
import { sameBytes } from '../auth/secrets.js';
import type { Database } from './database.js';
import { ROLE, toUser, type UserRow } from './users-store.js';

interface LoginRow extends UserRow {
  token_hash: Uint8Array;
  previous_hash: Uint8Array | null;
  secret_hash: Uint8Array | null;
  within_grace: boolean;
  expires_at: Date;
}

const same = (a: Uint8Array | null | undefined, b: Uint8Array | null | undefined): boolean =>
  a != null && b != null && sameBytes(a, b);

/** Indexes of the token that is the present one, and of the one before it while that is tolerated; -1 where missing. */
function find(login: LoginRow, { tokens }: RefreshAttempt): { present: number; last: number } {
  return {
    present: tokens.findIndex(({ hash }) => same(hash, login.token_hash)),
    last: login.within_grace
      ? tokens.findIndex(
          ({ hash, nextHash }) => same(hash, login.previous_hash) && same(nextHash, login.token_hash),
        )
      : -1,
  };
}

export function sqlLoginStore(database: Database): LoginStore {
  return {
    async create({ id, userId, tokenHash, secretHash, lifetimeMs }) {
      await database.query(
        `insert into logins (id, user_id, token_hash, secret_hash, expires_at)
         values ($1, $2, $3, $4, now() + $5 * interval '1 millisecond')`,
        [id, userId, tokenHash, secretHash, lifetimeMs],
      );
    },

    rotate: (attempt) =>
      database.transaction(async (tx) => {
        const { rows } = await tx.query<LoginRow>(
          `select u.id, u.username, ${ROLE}, l.expires_at, l.token_hash, l.previous_hash, l.secret_hash,
                  l.rotated_at > now() - $2 * interval '1 millisecond' as within_grace
             from logins l join users u on u.id = l.user_id
            where l.id = $1 and l.expires_at > now() for update of l`,
          [attempt.id, attempt.graceMs],
        );
        const login = rows[0];
        if (!login) return { outcome: 'refused' };
        const user = toUser(login);
        const { present, last } = find(login, attempt);
        if (!same(attempt.secretHash, login.secret_hash))
          return present >= 0 || last >= 0 ? { outcome: 'secret_wrong', user } : { outcome: 'refused' };
        const found = { user, expiresAt: login.expires_at };
        if (present >= 0) {
          await tx.query(
            'update logins set previous_hash = token_hash, token_hash = $2, rotated_at = now() where id = $1',
            [attempt.id, attempt.tokens[present]!.nextHash],
          );
          return { outcome: 'rotated', ...found, taken: present };
        }
        if (last >= 0) return { outcome: 'tolerated', ...found, taken: last };
        if (attempt.tokens.length > 0) await tx.query('delete from logins where id = $1', [attempt.id]);
        return { outcome: 'refused' };
      }),

    async delete(id, proof) {
      if (!proof) {
        await database.query('delete from logins where id = $1', [id]);
        return;
      }
      for (const tokenHash of proof.tokenHashes)
        await database.query(
          'delete from logins where id = $1 and secret_hash = $2 and (token_hash = $3 or previous_hash = $3)',
          [id, proof.secretHash, tokenHash],
        );
    },

    async deleteExpired() {
      await database.query('delete from logins where expires_at <= now()');
    },
  };
}
