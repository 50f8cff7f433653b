import type { KitCase } from './case.js';
import { crashes, hibernation } from './needs.js';

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
    name: 'refuses a lower generation of a session that hibernates',
    why: 'Sessions sleep for weeks; commands from before must not wake or end them.',
    needs: [hibernation],
    async run(kit) {
      const one = kit.session();
      await one.start();
      await one.hibernate();
      const { sessionId, generation } = one;
      const { platform } = kit;
      const older = one.change(generation - 1);
      const stale = async (what: string, work: (signal: AbortSignal) => Promise<unknown>): Promise<void> => {
        await kit.refused(
          `${what} of a hibernated session, with a lower generation,`,
          ['stale_generation'],
          work,
        );
        await one.check(`after ${what} with a lower generation`);
      };
      await stale('start', (signal) =>
        platform.start({ ...one.spec, generation: generation - 1 }, older, signal),
      );
      await stale('stop', (signal) => platform.stop(sessionId, older, signal));
      await stale('wake', (signal) => platform.wake(sessionId, older, signal));
      await stale('hibernate', (signal) => platform.hibernate(sessionId, older, signal));
      await one.wake();
      await one.checkUsable();
    },
  },
  {
    chapter: 'Generations',
    name: 'starts and stops a session that hibernates, for a higher generation',
    why: 'Otherwise a session that was put aside can never be created again.',
    needs: [hibernation],
    async run(kit) {
      const one = kit.session();
      await one.start();
      await one.hibernate();
      await one.start(one.change(one.generation + 1));
      await one.check('after a start with a higher generation, of a hibernated session');
      await one.checkUsable();
      await one.hibernate();
      await one.stop(one.change(one.generation + 1));
      await kit.checkList([], 'after a stop with a higher generation, of a hibernated session');
      await kit.checkNothingLeft('after a stop with a higher generation, of a hibernated session');
    },
  },
  {
    chapter: 'Generations',
    name: 'starts and stops a session that failed, for a higher generation',
    why: 'A crash is what sessions are created again for.',
    needs: [crashes],
    async run(kit) {
      const one = kit.session();
      await one.start();
      await kit.crash(one);
      await one.start(one.change(one.generation + 1));
      await one.check('after a start with a higher generation, of a session that failed');
      await one.checkUsable();
      await kit.crash(one);
      await one.stop(one.change(one.generation + 1));
      await kit.checkList([], 'after a stop with a higher generation, of a session that failed');
      await kit.checkNothingLeft('after a stop with a higher generation, of a session that failed');
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
