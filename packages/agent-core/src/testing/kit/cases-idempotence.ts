import type { Change } from '../../platform.js';
import type { KitCase } from './case.js';
import type { Kit } from './kit.js';
import { hibernation } from './needs.js';

/** Starts at the same time and later, while somebody looks on: the desktop must stay the one that it was. */
async function startRepeatedly(kit: Kit, command: (first: Change, one: { change(): Change }) => Change) {
  const one = kit.session();
  const first = one.change();
  const second = command(first, one);
  await Promise.all([one.start(first), one.start(second)]);
  await one.check('after two starts at the same time');
  const stream = await one.open();
  await one.start(command(first, one));
  await one.check('after another start');
  await stream.exchange('a stream that was open when the session was started once more');
  await kit.checkList([one], 'after three starts');
  await stream.abort();
  await one.stop();
  await kit.checkList([], 'after three starts and a stop');
  await kit.checkNothingLeft('after three starts and a stop');
}

export const idempotence: readonly KitCase[] = [
  {
    chapter: 'Idempotence',
    name: 'starts a session once, when one command asks again, at the same time and later',
    why: 'Commands are delivered at least once.',
    run: (kit) => startRepeatedly(kit, (first) => first),
  },
  {
    chapter: 'Idempotence',
    name: 'starts a session once, when several commands of one generation ask for it',
    why: 'Two replicas may each believe that they have to ask.',
    run: (kit) => startRepeatedly(kit, (_first, one) => one.change()),
  },
  {
    chapter: 'Idempotence',
    name: 'stops a session once, when asked twice at the same time',
    why: 'The second call finds a session that is half gone.',
    async run(kit) {
      const one = kit.session();
      await one.start();
      await Promise.all([one.stop(), one.stop()]);
      await kit.checkList([], 'after two stops at the same time');
      await kit.checkNothingLeft('after two stops at the same time');
    },
  },
  {
    chapter: 'Idempotence',
    name: 'hibernates and wakes once, when asked twice at the same time and later',
    why: 'Commands are delivered at least once.',
    needs: [hibernation],
    async run(kit) {
      const one = kit.session();
      await one.start();
      const [sleep, wake] = [one.change(), one.change()];
      await Promise.all([one.hibernate(sleep), one.hibernate(sleep)]);
      await one.hibernate(sleep);
      await one.check('after three hibernates');
      await Promise.all([one.wake(wake), one.wake(wake)]);
      const stream = await one.open();
      await one.wake(wake);
      await one.check('after three wakes');
      await stream.exchange('a stream that was open when the session was woken once more');
      await stream.abort();
      await one.stop();
      await kit.checkNothingLeft('after three hibernates, three wakes and a stop');
    },
  },
];
