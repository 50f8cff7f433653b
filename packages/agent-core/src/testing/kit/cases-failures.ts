import type { KitCase } from './case.js';
import { checkFacts } from './session.js';
import { crashes, failingWakes, hibernation, outages } from './needs.js';
import { bounded, failure, inWords } from './waiting.js';

const NOT_DNS_LABELS = [
  '',
  '..',
  '../other',
  'a/b',
  'a b',
  'Desk',
  '-a',
  'a-',
  'a.b',
  'a\u0000',
  'x'.repeat(64),
];

export const failures: readonly KitCase[] = [
  {
    chapter: 'Failures',
    name: 'leaves nothing of a start that failed',
    why: 'It is tried again, here or elsewhere; what is left of each attempt adds up.',
    async run(kit) {
      const { fixture, platform } = kit;
      const one = kit.session();
      const template = fixture.failingTemplate ?? { template: 'kit-nonsense', manifest: {} };
      const error = await bounded('start of a template that cannot work', kit.limits.callMs, (signal) =>
        platform.start({ ...one.spec, ...template }, one.change(), signal).then(
          () => undefined,
          (thrown: unknown) => ({ thrown }),
        ),
      );
      if (error) kit.checkError('start of a template that cannot work', error.thrown);
      else if (fixture.failingTemplate)
        throw failure('start of the fixture’s failingTemplate must reject; it resolved');
      else await one.stop();
      await kit.checkList([], 'after a start that failed');
      await kit.checkNothingLeft('after a start that failed');
      await one.start();
      await one.checkUsable();
      await one.stop();
      await kit.checkNothingLeft('after a start that failed, one that did not, and a stop');
    },
  },
  {
    chapter: 'Failures',
    name: 'refuses session ids that are no DNS labels',
    why: 'They become parts of paths, host names and labels.',
    async run(kit) {
      const { platform } = kit;
      for (const sessionId of NOT_DNS_LABELS) {
        const one = kit.session();
        const change = one.change();
        const named = `of the session id ${JSON.stringify(sessionId)}`;
        await kit.refused(`start ${named}`, ['invalid_session_id'], (signal) =>
          platform.start({ ...one.spec, sessionId }, change, signal),
        );
        const outcome = await bounded(`stop ${named}`, kit.limits.callMs, (signal) =>
          (async () => platform.stop(sessionId, change, signal))().catch((error: unknown) => ({ error })),
        );
        if (outcome) kit.checkError(`stop ${named}`, outcome.error);
        const invalid = (what: string, work: (signal: AbortSignal) => Promise<unknown>): Promise<void> =>
          kit.refused(`${what} ${named}`, ['invalid_session_id'], work);
        await invalid('openStream', (signal) => platform.openStream(sessionId, 'vnc', signal));
        await invalid('inspect', (signal) => platform.inspect(sessionId, signal));
        if (!platform.capabilities.hibernate) continue;
        await invalid('hibernate', (signal) => platform.hibernate(sessionId, change, signal));
        await invalid('wake', (signal) => platform.wake(sessionId, change, signal));
      }
      await kit.checkList([], 'after session ids that were refused');
      await kit.checkNothingLeft('after session ids that were refused');
    },
  },
  {
    chapter: 'Failures',
    name: 'says that a session is not there, when it is to be hibernated or woken',
    why: 'The control plane then creates it anew, rather than try for ever.',
    needs: [hibernation],
    async run(kit) {
      const { platform } = kit;
      const one = kit.session();
      const { sessionId } = one;
      await kit.refused('hibernate of a session that is not there', ['session_not_found'], (signal) =>
        platform.hibernate(sessionId, one.change(), signal),
      );
      await kit.refused('wake of a session that is not there', ['session_not_found'], (signal) =>
        platform.wake(sessionId, one.change(), signal),
      );
      await kit.checkList([], 'after hibernate and wake of a session that is not there');
    },
  },
  {
    chapter: 'Failures',
    name: 'leaves a session hibernated when its wake fails',
    why: 'What a user put aside must not be lost because there was no room for it.',
    needs: [hibernation, failingWakes],
    async run(kit) {
      const one = kit.session();
      await one.start();
      await one.hibernate();
      const release = await kit.fixture.failingWake!(one.sessionId);
      try {
        const change = one.attempt();
        await kit.refused('wake of a session whose wakes fail', [], (signal) =>
          kit.platform.wake(one.sessionId, change, signal),
        );
      } finally {
        release();
      }
      const state = (await one.inspect())?.state ?? 'gone';
      if (state !== 'hibernated')
        throw failure(`after a wake that failed, the session is ${state}; it must be hibernated`);
      await one.openRefused('after a wake that failed');
      await one.wake();
      await one.checkUsable();
      await one.stop();
      await kit.checkNothingLeft('after a wake that failed, one that did not, and a stop');
    },
  },
  {
    chapter: 'Failures',
    name: 'asks to be tried again while its host does not answer, and goes on when it does',
    why: 'An empty list at such a moment would declare every session lost.',
    needs: [outages],
    async run(kit) {
      const { platform } = kit;
      const [one, other, asleep] = [kit.session(), kit.session(), kit.session()];
      await one.start();
      const { hibernate } = platform.capabilities;
      if (hibernate) {
        await asleep.start();
        await asleep.hibernate();
      }
      const back = await kit.fixture.outage!();
      const checkRetry = (named: string, error: unknown): void => {
        kit.checkError(named, error);
        if (!(error as { shouldRetry: boolean }).shouldRetry)
          throw failure(`${named} must reject with shouldRetry true; it rejected with ${inWords(error)}`);
      };
      const unavailable = async (
        what: string,
        work: (signal: AbortSignal) => Promise<unknown>,
      ): Promise<void> => {
        const named = `${what}, while the host does not answer,`;
        await kit.refused(named, [], (signal) =>
          work(signal).catch((error: unknown) => {
            checkRetry(named, error);
            throw error;
          }),
        );
      };
      try {
        await unavailable('list', (signal) => platform.list(signal));
        await unavailable('inspect', (signal) => platform.inspect(one.sessionId, signal));
        await unavailable('start', (signal) => platform.start(other.spec, other.change(), signal));
        await unavailable('stop', (signal) => platform.stop(one.sessionId, one.attempt(), signal));
        if (hibernate) {
          await unavailable('hibernate', (signal) =>
            platform.hibernate(one.sessionId, one.attempt(), signal),
          );
          await unavailable('wake', (signal) => platform.wake(asleep.sessionId, asleep.attempt(), signal));
        }
        // The desktop may be there all the same.
        const opened = 'openStream, while the host does not answer,';
        await bounded(opened, kit.limits.callMs, (signal) =>
          platform.openStream(one.sessionId, 'vnc', signal).then(
            (channel) => channel.abort(),
            (error: unknown) => checkRetry(opened, error),
          ),
        );
      } finally {
        back();
      }
      await kit.checkList(hibernate ? [one, asleep] : [one], 'when the host answers again');
      await one.checkUsable();
      if (hibernate) {
        await asleep.wake();
        await asleep.stop();
      }
      await one.stop();
      await kit.checkNothingLeft('after an outage and a stop');
    },
  },
  {
    chapter: 'Failures',
    name: 'notices a session that ended by itself, and can start it again',
    why: 'A crashed desktop that is listed as running is a black screen without an end.',
    needs: [crashes],
    async run(kit) {
      const [one, other] = await kit.twoSessions();
      const stream = await one.open();
      const state = await kit.crash(one);
      await stream.ends('to a desktop that crashed');
      const listed = (await kit.list()).find(({ sessionId }) => sessionId === one.sessionId);
      if (listed?.state !== state)
        throw failure(`after a crash, list has state ${listed?.state} and inspect ${state}`);
      if (listed) checkFacts(listed, 'after a crash, list');
      await one.openRefused('to a desktop that crashed');
      await other.check('after the crash of another');
      await other.checkUsable();
      await one.start();
      await one.checkUsable();
      await kit.fixture.crash!(one.sessionId);
      await one.stop();
      await kit.checkList([other], 'after stopping a session that crashed');
      await other.stop();
      await kit.checkNothingLeft('after crashes and stops');
    },
  },
];
