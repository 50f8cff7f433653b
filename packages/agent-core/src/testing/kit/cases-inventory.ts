import type { PlatformSession } from '../../platform.js';
import type { KitCase } from './case.js';
import { crashes, watching } from './needs.js';
import { eventually, failure, turn } from './waiting.js';

/** Turns of the event loop in which a report that was on its way would arrive. */
const TURNS_OF_GRACE = 20;

export const inventory: readonly KitCase[] = [
  {
    chapter: 'Inventory',
    name: 'lists every session, and agrees with inspect about each',
    why: 'What the list lacks is taken for lost; what it has too much, for an orphan.',
    async run(kit) {
      const [one, other] = await kit.twoSessions();
      const third = kit.session();
      await third.start();
      if (kit.platform.capabilities.hibernate) await other.hibernate();
      const sessions = [one, other, third];
      await kit.checkList(sessions, 'with three sessions');
      const listed = await kit.list();
      for (const session of sessions) {
        await session.check('with three sessions');
        const inspected = await session.inspect();
        const entry = listed.find(({ sessionId }) => sessionId === session.sessionId);
        for (const field of ['generation', 'commandId', 'state'] as const)
          if (inspected?.[field] !== entry?.[field])
            throw failure(
              `list has the ${field} ${entry?.[field]} and inspect ${inspected?.[field]}; they must agree`,
            );
      }
      await third.stop();
      await kit.checkList([one, other], 'after one of three was stopped');
      await third.check('after it was stopped');
    },
  },
  {
    chapter: 'Inventory',
    name: 'tells who watches what happens by itself, and nobody else any more',
    why: 'Otherwise a crash is noticed a minute later, and reports pile up with each reconnect.',
    needs: [watching, crashes],
    async run(kit) {
      const [one, other] = await kit.twoSessions();
      const [seen, seenBeside]: [PlatformSession[], PlatformSession[]] = [[], []];
      const unwatch = kit.platform.watch!((session) => seen.push(session));
      const unwatchBeside = kit.platform.watch!((session) => seenBeside.push(session));
      const of = (list: PlatformSession[], id: string): PlatformSession | undefined =>
        list.find(({ sessionId, state }) => sessionId === id && state !== 'running' && state !== 'starting');
      const arrives = async (list: PlatformSession[], id: string): Promise<void> =>
        eventually(
          kit.limits.eventMs,
          async () => of(list, id) !== undefined,
          () => 'watch must report a session that crashed; it reported nothing of it',
        );
      await kit.fixture.crash!(one.sessionId);
      await arrives(seen, one.sessionId);
      await arrives(seenBeside, one.sessionId);
      const reported = of(seen, one.sessionId)!;
      if (reported.generation !== one.generation)
        throw failure(`watch reported generation ${reported.generation}; it must be ${one.generation}`);
      unwatch();
      unwatch();
      const before = seen.length;
      await kit.fixture.crash!(other.sessionId);
      await arrives(seenBeside, other.sessionId);
      for (let i = 0; i < TURNS_OF_GRACE; i++) await turn();
      if (seen.length > before) throw failure('watch must report nothing after it was told to stop; it did');
      unwatchBeside();
    },
  },
];
