import assert from 'node:assert/strict';
import type { TestRunner } from '@streamspace/hub/testing';
import type { SessionPosition } from '../domain/ports.js';
import type { Session } from '../domain/session.js';
import type { Fixtures } from './fixtures.js';

/** Most pages that a test takes: past it a list does not end. */
const MOST_PAGES = 1_000;

/** Lists of sessions, and their pages. */
export function sessionListsSuite({ describe, it }: TestRunner, fixtures: () => Promise<Fixtures>): void {
  const setUp = async () => {
    const on = await fixtures();
    const user = await on.addUser();
    const { platform } = await on.addAgent();
    const create = (id?: string): Promise<Session> =>
      on.createSession(on.request({ userId: user.id, platform, ...(id !== undefined && { id }) }));
    const put = async (id: string, state: Session['state'], createdAtUs?: number): Promise<void> => {
      await on.database.query(
        `update sessions
            set state = $2::text, desired_state = case when $2::text in ('pending', 'running') then 'running' else 'terminated' end,
                created_at = coalesce(timestamptz '2026-01-01' + $3::bigint * interval '1 microsecond', created_at)
          where id = $1`,
        [id, state, createdAtUs ?? null],
      );
    };
    /** Takes every page of the user's list, or of all users'; `between` runs after each. */
    const pages = async (
      limit: number,
      { all = false, between }: { all?: boolean; between?: () => Promise<unknown> } = {},
    ): Promise<Session[][]> => {
      const taken: Session[][] = [];
      let after: SessionPosition | undefined;
      do {
        const page = await on.sessions.list({
          limit,
          ...(!all && { userId: user.id }),
          ...(after && { after }),
        });
        taken.push([...page.sessions]);
        assert.ok(taken.length <= MOST_PAGES, 'the list does not end');
        after = page.next;
        await between?.();
      } while (after);
      return taken;
    };
    return { on, user, create, put, pages };
  };
  const idsOf = (pages: readonly (readonly Session[])[]): string[] =>
    pages.flat().map((session) => session.id);

  describe('lists of sessions', () => {
    const STATES = [
      'failed',
      'running',
      'terminated',
      'pending',
      'terminating',
      'terminated',
      'hibernated',
      'running',
      'failed',
      'pending',
    ] as const;

    /** Ten sessions of the user in the order in which they were created, some in the same microsecond. */
    const tenSessions = async ({ create, put }: Awaited<ReturnType<typeof setUp>>) => {
      const sessions: { id: string; state: Session['state']; at: number }[] = [];
      for (const [index, state] of STATES.entries()) {
        const { id } = await create();
        const at = Math.floor(index / 2);
        await put(id, state, at);
        sessions.push({ id, state, at });
      }
      return sessions;
    };

    it('have each session once, those that have not ended first and the newest first, in pages of 3', async () => {
      const set = await setUp();
      const sessions = await tenSessions(set);
      const hasEnded = (state: string): boolean => state === 'terminated' || state === 'failed';
      const expected = sessions
        .toSorted(
          (a, b) =>
            Number(hasEnded(a.state)) - Number(hasEnded(b.state)) || b.at - a.at || (a.id < b.id ? 1 : -1),
        )
        .map(({ id }) => id);
      const pages = await set.pages(3);
      assert.deepEqual(
        pages.map((page) => page.length),
        [3, 3, 3, 1],
      );
      assert.deepEqual(idsOf(pages), expected);
      assert.deepEqual(idsOf(await set.pages(10)), expected);
      assert.deepEqual(idsOf(await set.pages(1)), expected);
    });

    it('end without a next page where the last one is full, and where there is no session', async () => {
      const { on, user, create, pages } = await setUp();
      assert.deepEqual(await on.sessions.list({ userId: user.id, limit: 3 }), {
        sessions: [],
        next: undefined,
      });
      for (let count = 0; count < 3; count++) await create();
      assert.deepEqual(
        (await pages(3)).map((page) => page.length),
        [3],
      );
    });

    it('skip and repeat none of those that exist throughout while others are created and end', async () => {
      const set = await setUp();
      const sessions = await tenSessions(set);
      const others = await Promise.all([1, 2, 3, 4].map(() => set.create()));
      const between = async (): Promise<void> => {
        await set.create();
        const ending = others.pop();
        if (ending) await set.put(ending.id, 'terminated');
      };
      const ids = idsOf(await set.pages(3, { between }));
      for (const { id } of sessions) assert.equal(ids.filter((one) => one === id).length, 1);
    });

    it('have the sessions of one user, or those of all', async () => {
      const { on, create, pages } = await setUp();
      const { id } = await create();
      const stranger = await on.addUser();
      const { platform } = await on.addAgent();
      const foreign = await on.createSession(on.request({ userId: stranger.id, platform }));
      assert.deepEqual(idsOf(await pages(5)), [id]);
      const all = idsOf(await pages(100, { all: true }));
      for (const one of [id, foreign.id]) assert.equal(all.filter((other) => other === one).length, 1);
    });
  });
}
