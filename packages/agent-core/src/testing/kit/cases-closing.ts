import type { KitCase } from './case.js';
import { closing, leftovers, requireRestart, survival } from './needs.js';
import { failure } from './waiting.js';

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
