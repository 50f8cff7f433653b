import type { KitCase } from './case.js';
import { holding } from './needs.js';
import { bounded, failure, turn } from './waiting.js';

const SIDE_BY_SIDE = 4;

export const concurrency: readonly KitCase[] = [
  {
    chapter: 'Concurrency',
    name: 'keeps sessions apart that live side by side',
    why: 'An agent carries out the commands of all its sessions at once.',
    async run(kit) {
      const sessions = Array.from({ length: SIDE_BY_SIDE }, () => kit.session());
      const [first, ...others] = sessions;
      await Promise.all(sessions.map((session) => session.start()));
      await kit.checkList(sessions, `after ${SIDE_BY_SIDE} starts at the same time`);
      const streams = await Promise.all(sessions.map((session) => session.open()));
      await Promise.all([
        first!.stop(),
        ...streams.slice(1).map((stream) => stream.exchange('the stream of a session beside one that stops')),
      ]);
      await kit.checkList(others, 'after one of them was stopped');
      await Promise.all(others.map((session) => session.stop()));
      await kit.checkList([], 'after all of them were stopped');
      await kit.checkNothingLeft('after all of them were stopped');
    },
  },
  {
    chapter: 'Concurrency',
    name: 'lets a start and a stop of one session that overlap take effect one after the other',
    why: 'What either takes of the other half way belongs to nobody.',
    async run(kit) {
      const one = kit.session();
      await Promise.all([one.start(), one.stop()]);
      // Which came last is not known.
      const found = await one.inspect();
      if (found && found.state !== 'running')
        throw failure(
          `after a start and a stop that overlapped, the session is ${found.state}; it must run or be gone`,
        );
      if (found) await one.checkUsable();
      else await one.openRefused('after a start and a stop that overlapped, to a session that is gone');
      await one.stop();
      await kit.checkList([], 'after a start and a stop that overlapped, and another stop');
      await kit.checkNothingLeft('after a start and a stop that overlapped, and another stop');
    },
  },
  {
    chapter: 'Concurrency',
    name: 'does not let a session that hangs hold up the others',
    why: 'One slow image would stop the whole host.',
    needs: [holding],
    async run(kit) {
      const [hanging, other] = [kit.session(), kit.session()];
      await other.start();
      const release = await kit.fixture.hold!(hanging.sessionId);
      const controller = new AbortController();
      const reason = new Error('it hung for long enough');
      const change = hanging.change();
      const outcome = kit.platform.start(hanging.spec, change, controller.signal).then(
        () => undefined,
        (error: unknown) => error,
      );
      try {
        await turn();
        const beside = kit.session();
        await bounded('while another session hangs, the life of a session', kit.limits.callMs, async () => {
          await beside.start();
          await beside.checkUsable();
          await other.stop();
          await kit.list();
          await beside.stop();
        });
      } finally {
        controller.abort(reason);
        release();
        await bounded('an aborted start of a session that hangs', kit.limits.abortMs, () => outcome);
      }
    },
  },
];
