import type { PlatformSession } from '../../platform.js';
import type { KitCase } from './case.js';
import { crashes, sharing, watching } from './needs.js';
import { bounded, eventually, failure, turn } from './waiting.js';

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
    name: 'keeps its hands off the sessions of another agent on the same place',
    why: 'What an agent lists and nobody wants of it gets stopped: two agents would end each other’s sessions.',
    needs: [sharing],
    async run(kit) {
      const one = kit.session();
      await one.start();
      const stream = await one.open();
      const { sessionId, spec } = one;
      const other = await kit.call('otherAgent of the fixture', async () => kit.fixture.otherAgent!());
      const none = async (when: string): Promise<void> => {
        const listed = await kit.call(`list of another agent, ${when},`, (signal) => other.list(signal));
        if (listed.some((session) => session.sessionId === sessionId))
          throw failure(`${when}, list has a session that another agent owns`);
        if (
          await kit.call(`inspect of another agent, ${when},`, (signal) => other.inspect(sessionId, signal))
        )
          throw failure(`${when}, inspect has a session that another agent owns`);
      };
      const whole = async (when: string): Promise<void> => {
        await stream.exchange(`a stream to a session ${when}`);
        await one.check(when);
        await kit.checkList([one], when);
      };
      /** What comes of a call that the place may refuse. */
      const outcome = (what: string, work: (signal: AbortSignal) => Promise<unknown>): Promise<unknown> =>
        bounded(`${what} by another agent`, kit.limits.callMs, async (signal) =>
          (async () => work(signal))().then(
            () => undefined,
            (error: unknown) => kit.checkError(`${what} by another agent`, error),
          ),
        );
      await none('while one agent has a session');
      await kit.refused('openStream by another agent', ['session_not_found'], async (signal) =>
        (await other.openStream(sessionId, 'vnc', signal)).abort(),
      );
      await outcome('stop', (signal) => other.stop(sessionId, one.change(one.generation + 1), signal));
      await whole('after another agent was told to stop it');
      // Its name is taken, or it is not: both will do.
      const change = one.change();
      await outcome('start', (signal) => other.start(spec, change, signal));
      await whole('after another agent was told to start one of its id');
      await outcome('stop', (signal) => other.stop(sessionId, change, signal));
      await whole('after another agent was told to start and stop one of its id');
      await stream.abort();
      await one.stop();
      await kit.call('close of another agent', async () => other.close?.());
      await kit.checkNothingLeft('after stops by two agents');
    },
  },
  {
    chapter: 'Inventory',
    name: 'tells the others who watch when one of them throws',
    why: 'A fault of one listener would make every crash invisible.',
    needs: [watching, crashes],
    async run(kit) {
      const [one, other] = await kit.twoSessions();
      const calls = { throwing: 0 };
      const seen: PlatformSession[] = [];
      const unwatchThrowing = kit.platform.watch!(() => {
        calls.throwing += 1;
        throw new Error('this one always throws');
      });
      const unwatch = kit.platform.watch!((session) => seen.push(session));
      for (const { sessionId } of [one, other]) {
        const before = calls.throwing;
        // A platform that lets it through may fail in the hand of whoever caused the crash.
        await kit.fixture.crash!(sessionId).catch(() => undefined);
        await eventually(
          kit.limits.eventMs,
          async () => calls.throwing > before && seen.some((session) => session.sessionId === sessionId),
          () => 'watch must report a crash to all who watch, one that throws among them; it did not',
        );
      }
      unwatchThrowing();
      unwatch();
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
