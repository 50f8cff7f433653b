import type { KitCase } from './case.js';
import { hibernation, homes } from './needs.js';
import { failure } from './waiting.js';

export const lifecycle: readonly KitCase[] = [
  {
    chapter: 'Lifecycle',
    name: 'resolves a start when the desktop takes connections, and not before',
    why: 'The user is let in at that moment, and sees an error where nothing answers yet.',
    async run(kit) {
      const one = kit.session();
      await one.start();
      await one.checkUsable();
    },
  },
  {
    chapter: 'Lifecycle',
    name: 'lists a session with who changed it last, until it is stopped',
    why: 'It is how an agent that has forgotten everything learns what was done.',
    async run(kit) {
      const one = kit.session();
      await kit.checkList([], 'before anything was started');
      await one.check('before the start');
      await one.start();
      await one.check('after start');
      await kit.checkList([one], 'after start');
      await one.stop();
      await one.check('after stop');
      await kit.checkList([], 'after stop');
    },
  },
  {
    chapter: 'Lifecycle',
    name: 'takes stopping a session that is not there for done',
    why: 'A stop is repeated whenever its answer was lost.',
    async run(kit) {
      const one = kit.session();
      await one.stop();
      await one.start();
      await one.stop();
      await one.stop();
    },
  },
  {
    chapter: 'Lifecycle',
    name: 'starts a session anew after it was stopped',
    why: 'A name that cannot be used again means that something of the first session is left.',
    async run(kit) {
      const one = kit.session();
      await one.start();
      await one.stop();
      await one.start();
      await one.checkUsable();
      await kit.checkList([one], 'after the second start');
    },
  },
  {
    chapter: 'Lifecycle',
    name: 'hibernates a session and wakes it',
    why: 'Both are visible to users; the record of who asked for them survives the agent.',
    needs: [hibernation],
    async run(kit) {
      const one = kit.session();
      await one.start();
      await one.hibernate();
      await one.check('after hibernate');
      await kit.checkList([one], 'after hibernate');
      await one.wake();
      await one.check('after wake');
      await one.checkUsable();
    },
  },
  {
    chapter: 'Lifecycle',
    name: 'wakes the session that it was asked to wake, and no other',
    why: 'A desktop that nobody asked for is somebody else’s, awake and paid for.',
    needs: [hibernation],
    async run(kit) {
      const [one, other] = await kit.twoSessions();
      await one.hibernate();
      await other.hibernate();
      await other.wake();
      await other.check('after its wake');
      await one.check('after the wake of another');
      await one.openRefused('to a session that sleeps while another was woken');
      await other.checkUsable();
    },
  },
  {
    chapter: 'Lifecycle',
    name: 'brings a hibernated session back when it is to be started',
    why: 'Start means that it runs afterwards, whatever it did before.',
    needs: [hibernation],
    async run(kit) {
      const one = kit.session();
      await one.start();
      await one.hibernate();
      await one.start();
      await one.checkUsable();
    },
  },
  {
    chapter: 'Lifecycle',
    name: 'keeps a persistent home over a stop, and removes one that is not',
    why: 'It is all that a user has made; what nobody asked to keep fills the disk.',
    needs: [homes],
    async run(kit) {
      const one = kit.session();
      one.persistentHome = true;
      const home = (): Promise<string | undefined> =>
        kit.call('home of the fixture', async () => kit.fixture.home!(one.sessionId));
      await one.start();
      const first = await home();
      if (first === undefined)
        throw failure('a session with a persistent home must have one; home() of the fixture found none');
      for (const when of ['after a stop', 'after a start, a stop, and another start']) {
        await (when === 'after a stop' ? one.stop() : one.start());
        const now = await home();
        if (now !== first)
          throw failure(`${when}, the persistent home is ${now ?? 'gone'}; it must be ${first}, as before`);
      }
      await one.stop();
      one.persistentHome = false;
      await one.start(one.change(one.generation + 1));
      await one.stop();
      const left = await home();
      if (left !== undefined) throw failure(`after a stop, a home that is not persistent is left: ${left}`);
      await kit.checkNothingLeft('after stops with and without a persistent home');
    },
  },
  {
    chapter: 'Lifecycle',
    name: 'stops a session that hibernates',
    why: 'What was put aside must go too.',
    needs: [hibernation],
    async run(kit) {
      const one = kit.session();
      await one.start();
      await one.hibernate();
      await one.stop();
      await kit.checkList([], 'after stopping a hibernated session');
      await kit.checkNothingLeft('after stopping a hibernated session');
    },
  },
];
