import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { TestRunner } from '@streamspace/hub/testing';
import type { Identity } from '../auth/identity.js';
import { hashToken, randomToken } from '../auth/secrets.js';
import type { Fixtures } from './fixtures.js';

/** Users whose accounts another application keeps. */
export function identitiesSuite({ describe, it }: TestRunner, fixtures: () => Promise<Fixtures>): void {
  const identity = (more: Partial<Identity> = {}): Identity => {
    const unique = randomUUID();
    return {
      issuer: 'https://id.example',
      subject: unique,
      username: `ida-${unique}`,
      role: 'user',
      ...more,
    };
  };

  describe('identities', () => {
    it('are one user each, however often and however much at once they are put', async () => {
      const on = await fixtures();
      // Often enough for two that collide in the name before the index of identities decides.
      for (let round = 0; round < 20; round++) {
        const one = identity();
        const users = await Promise.all(Array.from({ length: 8 }, () => on.identities.put(one)));
        assert.equal(new Set(users.map((user) => user?.id)).size, 1);
        assert.deepEqual(users[0], { id: users[0]?.id, username: one.username, role: 'user' });
        assert.deepEqual(await on.users.find(users[0]!.id), users[0]);
      }
    });

    it('give two users for the same subject of two issuers', async () => {
      const on = await fixtures();
      const one = identity();
      const other = { ...identity(), issuer: 'https://other.example', subject: one.subject };
      assert.notEqual((await on.identities.put(one))?.id, (await on.identities.put(other))?.id);
    });

    it('keep their user when name and role change', async () => {
      const on = await fixtures();
      const one = identity();
      const before = await on.identities.put(one);
      const changed = { ...one, username: `${one.username}-2`, role: 'admin' } as const;
      assert.deepEqual(await on.identities.put(changed), {
        id: before?.id,
        username: changed.username,
        role: 'admin',
      });
    });

    it('do not get the name of a user who is there, in whatever case, and change nothing then', async () => {
      const on = await fixtures();
      const local = await on.addUser('admin');
      const taken = identity({ username: local.username.toUpperCase() });
      assert.equal(await on.identities.put(taken), undefined);
      assert.deepEqual(await on.users.find(local.id), { ...local, role: 'admin' });

      const one = identity();
      const before = await on.identities.put(one);
      const renamed = { ...one, username: local.username, role: 'admin' } as const;
      assert.equal(await on.identities.put(renamed), undefined);
      assert.deepEqual(await on.users.find(before!.id), before);

      const foreign = identity({ issuer: 'https://other.example', username: one.username });
      assert.equal(await on.identities.put(foreign), undefined);
      assert.deepEqual(await on.users.find(before!.id), before);
    });

    it('swap their names within one issuer', async () => {
      const on = await fixtures();
      const [one, other] = [identity(), identity()];
      const users = [await on.identities.put(one), await on.identities.put(other)];
      const swapped = [
        await on.identities.put({ ...one, username: other.username.toUpperCase() }),
        await on.identities.put({ ...other, username: one.username }),
      ];
      assert.deepEqual(
        swapped.map((user) => [user?.id, user?.username]),
        [
          [users[0]?.id, other.username.toUpperCase()],
          [users[1]?.id, one.username],
        ],
      );
    });

    it('are not given to a set-up with their name', async () => {
      const on = await fixtures();
      const one = identity();
      await on.identities.put(one);
      const token = hashToken(randomToken());
      await on.database.query(`update users set role = 'user'`);
      assert.equal(await on.setup.replaceToken(token, 60_000), true);
      const made = on.setup.createAdmin(token, { username: one.username, passwordHash: 'none' });
      await assert.rejects(made, { code: 'user_exists' });
      assert.equal((await on.identities.put(one))?.role, 'user');
    });

    it('have no password, and are no administrator who could log in', async () => {
      const on = await fixtures();
      const one = identity({ role: 'admin' });
      await on.identities.put(one);
      assert.equal((await on.users.findByName(one.username))?.passwordHash, undefined);
      await on.database.query(`update users set role = 'user' where issuer is null`);
      assert.equal(await on.users.hasAdmin(), false);
    });

    it('are found by an index', async () => {
      const on = await fixtures();
      const plan = await on.database.transaction(async (tx) => {
        await tx.query('set local enable_seqscan = off');
        const { rows } = await tx.query(`explain select id from users where issuer = 'a' and subject = 'b'`);
        return JSON.stringify(rows);
      });
      assert.match(plan, /users_identity/);
    });
  });
}
