import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { TestRunner } from '@streamspace/hub/testing';
import { hashToken, randomToken } from '../auth/secrets.js';
import type { Fixtures } from './fixtures.js';

/** Finding users by name. */
export function usersSuite({ describe, it }: TestRunner, fixtures: () => Promise<Fixtures>): void {
  /** A user of an earlier version can have any name. */
  const addUser = async (on: Fixtures, username: string, passwordHash = 'none') => {
    const { rows } = await on.database.query<{ id: string }>(
      `insert into users (username, password_hash, role) values ($1, $2, 'user') returning id`,
      [username, passwordHash],
    );
    return rows[0]!.id;
  };

  describe('names of users', () => {
    it('are compared without regard to the case of A to Z, and of nothing else', async () => {
      const on = await fixtures();
      const unique = randomUUID();
      const id = await addUser(on, `Admin-kelvin-${unique}`);
      const find = async (name: string) => (await on.users.findByName(`${name}-${unique}`))?.id;
      for (const name of ['Admin-kelvin', 'admin-kelvin', 'ADMIN-KELVIN']) assert.equal(await find(name), id);
      // U+0130 and U+212A: the database's own lower() makes them `i` and `k`.
      for (const name of ['admİn-kelvin', 'ADMİN-KELVIN', 'admin-\u212Aelvin', 'admın-kelvin'])
        assert.equal(await find(name), undefined, name);
    });

    it('of an earlier version with other letters are found, each as its own', async () => {
      const on = await fixtures();
      const unique = randomUUID();
      const id = await addUser(on, `Jürgen-${unique}`);
      const find = async (name: string) => (await on.users.findByName(`${name}-${unique}`))?.id;
      assert.equal(await find('Jürgen'), id);
      assert.equal(await find('jüRGEN'), id);
      const { rows } = await on.database.query<{ folds: boolean }>(`select lower('Ü') = 'ü' as folds`);
      assert.equal(await find('JÜRGEN'), rows[0]?.folds ? id : undefined);
      assert.equal(await find('Jurgen'), undefined);
    });

    it('are found by an index', async () => {
      const on = await fixtures();
      const plan = await on.database.transaction(async (tx) => {
        await tx.query('set local enable_seqscan = off');
        const { rows } = await tx.query(
          `explain select id from users u where lower(u.username collate "C") = 'ann'`,
        );
        return JSON.stringify(rows);
      });
      assert.match(plan, /users_username_ascii/);
    });

    it('are not given to a new administrator whose name the database takes for another’s', async () => {
      const on = await fixtures();
      const { rows } = await on.database.query<{ folds: boolean }>(`select lower('İ') = 'i' as folds`);
      const unique = randomUUID().slice(0, 8);
      const other = await addUser(on, `admİn-${unique}`, '');
      const token = hashToken(randomToken());
      await on.database.query(`update users set role = 'user'`);
      assert.equal(await on.setup.replaceToken(token, 60_000), true);
      const made = on.setup.createAdmin(token, { username: `admin-${unique}`, passwordHash: 'none' });
      if (rows[0]?.folds) await assert.rejects(made, { code: 'user_exists' });
      else assert.notEqual(((await made) as { id: string }).id, other);
      const found = await on.users.find(other);
      assert.equal(found?.role, 'user');
    });
  });
}
