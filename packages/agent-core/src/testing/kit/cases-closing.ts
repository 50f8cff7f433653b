import type { KitCase } from './case.js';
import { closing, leftovers, requireRestart, survival } from './needs.js';
import { bounded, failure, turn } from './waiting.js';

export const leaksAndClosing: readonly KitCase[] = [
  {
    chapter: 'Leaks and closing',
    name: 'gives everything back over the life of a session',
    why: 'A host is restarted once a year; whatever leaks has that long to add up.',
    needs: [leftovers],
    async run(kit) {
      await kit.checkNothingLeft('before anything was started');
      const one = kit.session();
      await one.start();
      const held = await kit.fixture.leftovers!();
      if (held.length === 0)
        throw failure('a running session holds something; leftovers() of the fixture must see it');
      await one.open();
      if (kit.platform.capabilities.hibernate) {
        await one.hibernate();
        await one.wake();
        await one.open();
      }
      await one.start(one.change(one.generation + 1));
      await one.open();
      await one.stop();
      await kit.checkNothingLeft('after the life of a session');
    },
  },
  {
    chapter: 'Leaks and closing',
    name: 'closes once, however often it is asked to, and starts nothing after that',
    why: 'Who stops an agent does it from several places at once.',
    needs: [closing],
    async run(kit) {
      const { platform } = kit;
      const one = kit.session();
      await one.start();
      const close = (): Promise<void> => kit.call('close', async () => platform.close!());
      await Promise.all([close(), close()]);
      await close();
      const late = kit.session();
      await kit.refused('start after close', [], (signal) =>
        platform.start(late.spec, late.change(), signal),
      );
      if (!platform.capabilities.survivesAgentRestart)
        await kit.checkNothingLeft('after close of a platform whose sessions do not survive it');
    },
  },
  {
    chapter: 'Leaks and closing',
    name: 'starts nothing once it is closed, of what was under way or waited by then',
    why: 'A desktop that comes up after its agent has gone is one that nobody stops.',
    needs: [closing],
    async run(kit) {
      const { platform, fixture } = kit;
      const [one, other] = [kit.session(), kit.session()];
      const first = one.change();
      const second = one.change(one.generation + 1);
      const calls = [
        { of: one, change: first },
        { of: one, change: second },
        { of: other, change: other.change() },
      ].map(({ of, change }) => {
        const call = { over: false, outcome: Promise.resolve<'started' | { error: unknown }>('started') };
        const spec = { ...of.spec, generation: change.generation };
        const starting = platform.start(spec, change, new AbortController().signal);
        call.outcome = starting
          .then(
            () => 'started' as const,
            (error: unknown) => ({ error }),
          )
          .finally(() => (call.over = true));
        return call;
      });
      await Promise.resolve();
      await kit.call('close', async () => platform.close!());
      await turn();
      for (const call of calls) {
        const wasOver = call.over;
        const named = 'start, under way when the platform was closed,';
        const outcome = await bounded(named, kit.limits.abortMs, () => call.outcome);
        if (outcome !== 'started') kit.checkError(named, outcome.error);
        else if (!wasOver)
          throw failure(`${named} must not go on after close has resolved; it did, and started a session`);
      }
      if (!platform.capabilities.survivesAgentRestart)
        await kit.checkNothingLeft(
          'after close during starts, of a platform whose sessions do not survive it',
        );
      else if (fixture.restart) {
        await kit.restart();
        for (const found of await kit.list())
          await kit.call('stop', (signal) => kit.platform.stop(found.sessionId, second, signal));
        await kit.checkNothingLeft('after close during starts, a restart, and stops of all that it lists');
      }
    },
  },
  {
    chapter: 'Leaks and closing',
    name: 'leaves its sessions to the next agent when it is closed',
    why: 'An update of the agent must not end desktops.',
    needs: [closing, survival],
    async run(kit) {
      requireRestart(kit.fixture);
      const one = kit.session();
      await one.start();
      await kit.call('close', async () => kit.platform.close!());
      await kit.restart();
      await kit.checkList([one], 'after close and a restart');
      await one.checkUsable();
      await one.stop();
      await kit.checkNothingLeft('after close, a restart and a stop');
    },
  },
];
