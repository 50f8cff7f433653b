import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { TestRunner } from '@streamspace/hub/testing';
import { hashToken, randomToken } from '../auth/secrets.js';
import type { Fixtures } from './fixtures.js';

const hash = (): Uint8Array => hashToken(randomToken());

/** Users, logins, tickets and keys. */
export function loginsSuite({ describe, it }: TestRunner, fixtures: () => Promise<Fixtures>): void {
  const secretHash = hash();
  const login = async () => {
    const on = await fixtures();
    const user = await on.addUser();
    const id = randomUUID();
    const first = hash();
    await on.logins.create({ id, userId: user.id, tokenHash: first, secretHash, lifetimeMs: 60_000 });
    /** Refreshes with the right secret. */
    const rotate = (token: Uint8Array, nextHash: Uint8Array, graceMs: number) =>
      on.logins.rotate({ id, secretHash, tokens: [{ hash: token, nextHash }], graceMs });
    return { on, user, id, first, rotate };
  };

  describe('logins', () => {
    it('rotate, and tolerate the last token for a short while with the same successor', async () => {
      const { user, first, rotate } = await login();
      const second = hash();
      const rotated = await rotate(first, second, 10_000);
      assert.equal(rotated.outcome, 'rotated');
      assert.equal(rotated.user.username, user.username);
      assert.equal((await rotate(first, second, 10_000)).outcome, 'tolerated');
      assert.equal((await rotate(second, hash(), 10_000)).outcome, 'rotated');
    });

    it('rotate once for two tabs at once', async () => {
      const { first, rotate } = await login();
      const next = hash();
      const both = await Promise.all([1, 2].map(() => rotate(first, next, 10_000)));
      assert.deepEqual(both.map(({ outcome }) => outcome).sort(), ['rotated', 'tolerated']);
    });

    it('end when an old token is used again with the right secret', async () => {
      const { first, rotate } = await login();
      const second = hash();
      await rotate(first, second, 0);
      assert.equal((await rotate(first, second, 0)).outcome, 'refused');
      assert.equal((await rotate(second, hash(), 0)).outcome, 'refused');
    });

    it('change nothing while the secret is wrong or missing, whatever the token is', async () => {
      const { on, user, id, first, rotate } = await login();
      const [second, third] = [hash(), hash()];
      await rotate(first, second, 0);
      for (const wrong of [hash(), undefined])
        for (const [token, nextHash, outcome] of [
          [second, third, 'secret_wrong'],
          [first, second, 'refused'],
          [hash(), hash(), 'refused'],
        ] as const) {
          const tokens = [{ hash: token, nextHash }];
          const result = await on.logins.rotate({ id, secretHash: wrong, tokens, graceMs: 0 });
          assert.equal(result.outcome, outcome);
          if (result.outcome === 'secret_wrong') assert.equal(result.user.id, user.id);
        }
      assert.equal((await rotate(second, third, 0)).outcome, 'rotated');
    });

    it('take the right one of several tokens, and change nothing where none came', async () => {
      const { on, id, first, rotate } = await login();
      assert.equal((await on.logins.rotate({ id, secretHash, tokens: [], graceMs: 0 })).outcome, 'refused');
      const second = hash();
      const tokens = [
        { hash: hash(), nextHash: hash() },
        { hash: first, nextHash: second },
      ];
      const rotated = await on.logins.rotate({ id, secretHash, tokens, graceMs: 0 });
      assert.equal(rotated.outcome, 'rotated');
      assert.equal(rotated.taken, 1);
      assert.equal((await rotate(second, hash(), 0)).outcome, 'rotated');
    });

    it('of an earlier release, which have no secret, are refused and stay', async () => {
      const { on, id, first, rotate } = await login();
      await on.database.query('update logins set secret_hash = null where id = $1', [id]);
      for (const given of [secretHash, undefined]) {
        const tokens = [{ hash: first, nextHash: hash() }];
        const result = await on.logins.rotate({ id, secretHash: given, tokens, graceMs: 0 });
        assert.equal(result.outcome, 'secret_wrong');
      }
      await on.logins.delete(id, { secretHash, tokenHashes: [first] });
      await on.database.query('update logins set secret_hash = $2 where id = $1', [id, secretHash]);
      assert.equal((await rotate(first, hash(), 0)).outcome, 'rotated');
    });

    it('end by logging out and by age', async () => {
      const { on, user, id, first, rotate } = await login();
      await on.logins.delete(id, { secretHash, tokenHashes: [hash()] });
      await on.logins.delete(id, { secretHash: hash(), tokenHashes: [first] });
      await on.logins.delete(id, { secretHash, tokenHashes: [] });
      assert.equal((await rotate(first, first, 0)).outcome, 'rotated');
      await on.logins.delete(id, { secretHash, tokenHashes: [hash(), first] });
      assert.equal((await rotate(first, first, 0)).outcome, 'refused');
      const byId = await login();
      await byId.on.logins.delete(byId.id);
      assert.equal((await byId.rotate(byId.first, first, 0)).outcome, 'refused');
      const old = { id: randomUUID(), userId: user.id, tokenHash: first, secretHash, lifetimeMs: 0 };
      await on.logins.create(old);
      const tokens = [{ hash: first, nextHash: first }];
      assert.equal(
        (await on.logins.rotate({ id: old.id, secretHash, tokens, graceMs: 0 })).outcome,
        'refused',
      );
      await on.logins.deleteExpired();
    });
  });

  describe('setting up', () => {
    it('makes one administrator of many at once, from the newest token only', async () => {
      const on = await fixtures();
      const [void_, token] = [hash(), hash()];
      assert.equal(await on.setup.replaceToken(void_, 60_000), true);
      assert.equal(await on.setup.replaceToken(token, 60_000), true);
      const create = (tokenHash: Uint8Array, username: string) =>
        on.setup.createAdmin(tokenHash, { username, passwordHash: 'none' });
      assert.equal(await create(void_, 'nobody'), 'token_invalid');
      assert.equal(await on.setup.check(token), 'ok');
      const made = await Promise.all(['ann', 'bob', 'eve'].map((username) => create(token, username)));
      assert.deepEqual(
        made.filter((user) => typeof user === 'string'),
        ['setup_done', 'setup_done'],
      );
      assert.equal(await on.setup.replaceToken(hash(), 60_000), false);
      assert.equal(await on.users.hasAdmin(), true);
    });
  });

  describe('tickets', () => {
    it('are taken once, by one of many at once', async () => {
      const on = await fixtures();
      const user = await on.addUser();
      const agent = await on.addAgent();
      const session = await on.createSession(on.request({ userId: user.id, platform: agent.platform }));
      const ticket = hash();
      await on.tickets.create(ticket, { sessionId: session.id, userId: user.id, mode: 'view' }, 30_000);
      const taken = await Promise.all([1, 2, 3, 4].map(() => on.tickets.take(ticket)));
      assert.deepEqual(
        taken.filter((found) => found !== undefined),
        [{ sessionId: session.id, userId: user.id, mode: 'view' }],
      );
      const late = hash();
      await on.tickets.create(late, { sessionId: session.id, userId: user.id, mode: 'view' }, 0);
      assert.equal(await on.tickets.take(late), undefined);
      await on.tickets.deleteExpired();
    });
  });

  describe('agents', () => {
    it('have one key at a time', async () => {
      const on = await fixtures();
      const agentId = `agent-${randomUUID()}`;
      assert.equal(await on.agents.keyHash(agentId), undefined);
      const [first, second] = [hash(), hash()];
      await on.agents.setKeyHash(agentId, first);
      assert.deepEqual(await on.agents.keyHash(agentId), first);
      await on.agents.setKeyHash(agentId, second);
      assert.deepEqual(await on.agents.keyHash(agentId), second);
    });

    it('register once, and again with what has changed', async () => {
      const on = await fixtures();
      const agentId = `agent-${randomUUID()}`;
      assert.equal(await on.agents.register({ agentId, platform: 'docker' }), undefined);
      await on.agents.setKeyHash(agentId, hash());
      const first = await on.agents.register({ agentId, platform: 'docker', capacity: { maxSessions: 4 } });
      assert.equal(first?.isNew, true);
      const second = await on.agents.register({ agentId, platform: 'docker', region: 'here' });
      assert.equal(second?.isNew, false);
      assert.equal(second.id, first.id);
      const listed = (await on.agents.list()).find((agent) => agent.agentId === agentId);
      assert.deepEqual(listed, {
        agentId,
        platform: 'docker',
        region: 'here',
        labels: {},
        isIsolated: false,
        status: 'offline',
        maxSessions: 4,
        sessions: 0,
        lastHeartbeat: null,
      });
    });

    it('show their last heartbeat where programs of StreamSpace look for it, too', async () => {
      const on = await fixtures();
      const { agentId, epoch } = await on.addAgent();
      await on.ownership.heard(agentId, epoch, { status: 'draining', activeSessions: 3 });
      await on.agents.copyHeartbeats();
      const { rows } = await on.database.query(
        "select active_sessions, last_heartbeat > now() - interval '1 minute' as fresh from agents where agent_id = $1",
        [agentId],
      );
      assert.deepEqual(rows, [{ active_sessions: 3, fresh: true }]);
    });

    it('are offline when they were not heard of, and when their replica has ended', async () => {
      const on = await fixtures();
      const { agentId } = await on.addAgent();
      const status = async () => (await on.agents.list()).find((agent) => agent.agentId === agentId)?.status;
      assert.equal(await status(), 'online');
      await on.database.query(
        `update agent_heartbeats set last_heartbeat = now() - interval '1 hour'
          where agent_id = (select id from agents where agent_id = $1)`,
        [agentId],
      );
      assert.equal(await status(), 'offline');
      const other = await on.addAgent();
      await on.replicas.end();
      assert.equal(
        (await on.agents.list()).find((agent) => agent.agentId === other.agentId)?.status,
        'offline',
      );
    });
  });
}
