import type { KitCase } from './case.js';
import { crashes, hibernation, outages } from './needs.js';
import { bounded, eventually, failure, inWords } from './waiting.js';

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
        await kit.refused(`openStream ${named}`, ['invalid_session_id', 'session_not_found'], (signal) =>
          platform.openStream(sessionId, 'vnc', signal),
        );
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
    name: 'asks to be tried again while its host does not answer, and goes on when it does',
    why: 'An empty list at such a moment would declare every session lost.',
    needs: [outages],
    async run(kit) {
      const { platform } = kit;
      const [one, other] = [kit.session(), kit.session()];
      await one.start();
      const back = await kit.fixture.outage!();
      const unavailable = async (
        what: string,
        work: (signal: AbortSignal) => Promise<unknown>,
      ): Promise<void> => {
        const named = `${what}, while the host does not answer,`;
        let error: unknown;
        await kit.refused(named, [], async (signal) => {
          try {
            return await work(signal);
          } catch (thrown) {
            error = thrown;
            throw thrown;
          }
        });
        if (!(error as { shouldRetry: boolean }).shouldRetry)
          throw failure(`${named} must reject with shouldRetry true; it rejected with ${inWords(error)}`);
      };
      try {
        await unavailable('list', (signal) => platform.list(signal));
        await unavailable('inspect', (signal) => platform.inspect(one.sessionId, signal));
        await unavailable('start', (signal) => platform.start(other.spec, other.change(), signal));
        await unavailable('stop', (signal) => platform.stop(one.sessionId, one.attempt(), signal));
      } finally {
        back();
      }
      await kit.checkList([one], 'when the host answers again');
      await one.checkUsable();
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
      await kit.fixture.crash!(one.sessionId);
      await stream.ends('to a desktop that crashed');
      let state: string | undefined;
      await eventually(
        kit.limits.eventMs,
        async () => {
          state = (await one.inspect())?.state;
          return state !== 'running' && state !== 'starting';
        },
        () => `after a crash, inspect has the session in state ${state}; it must be failed or stopped`,
      );
      const listed = (await kit.list()).find(({ sessionId }) => sessionId === one.sessionId);
      if (listed?.state !== state)
        throw failure(`after a crash, list has state ${listed?.state} and inspect ${state}`);
      await one.openRefused('to a desktop that crashed');
      await other.check('after the crash of another');
      await other.checkUsable();
      one.state = undefined;
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
