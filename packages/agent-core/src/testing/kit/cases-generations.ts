import type { KitCase } from './case.js';

export const generations: readonly KitCase[] = [
  {
    chapter: 'Generations',
    name: 'refuses a lower generation in every call that changes something',
    why: 'A command that was delayed for an hour must not undo what came after it.',
    async run(kit) {
      const one = kit.session();
      await one.start();
      const stream = await one.open();
      const { sessionId, generation } = one;
      const { platform } = kit;
      const older = one.change(generation - 1);
      const stale = (what: string, work: (signal: AbortSignal) => Promise<unknown>): Promise<void> =>
        kit.refused(`${what} with a lower generation`, ['stale_generation'], work);
      await stale('start', (signal) =>
        platform.start({ ...one.spec, generation: generation - 1 }, older, signal),
      );
      await stale('stop', (signal) => platform.stop(sessionId, older, signal));
      if (platform.capabilities.hibernate) {
        await stale('hibernate', (signal) => platform.hibernate(sessionId, older, signal));
        await stale('wake', (signal) => platform.wake(sessionId, older, signal));
      }
      await one.check('after calls with a lower generation');
      await stream.exchange('a stream that was open when a lower generation was refused');
      await stream.abort();
    },
  },
  {
    chapter: 'Generations',
    name: 'ends an older generation before it starts the newer one',
    why: 'Two desktops on one home folder overwrite each other’s files.',
    async run(kit) {
      const one = kit.session();
      await one.start();
      const stream = await one.open();
      await one.start(one.change(one.generation + 1));
      await stream.ends('to an older generation, once the newer one is started,');
      await one.check('after a start with a higher generation');
      await kit.checkList([one], 'after a start with a higher generation');
      await one.checkUsable();
      await one.stop();
      await kit.checkNothingLeft('after two generations and a stop');
    },
  },
  {
    chapter: 'Generations',
    name: 'stops a session for a higher generation',
    why: 'A session that was placed elsewhere is ended here in the name of its next generation.',
    async run(kit) {
      const one = kit.session();
      await one.start();
      await one.stop(one.change(one.generation + 1));
      await kit.checkList([], 'after a stop with a higher generation');
      await kit.checkNothingLeft('after a stop with a higher generation');
    },
  },
];
