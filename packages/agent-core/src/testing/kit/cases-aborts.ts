import type { KitCase } from './case.js';
import { abortAt, abortPoints, type AbortPoint } from './aborting.js';
import type { Kit } from './kit.js';
import { hibernation } from './needs.js';
import type { KitSession } from './session.js';
import { bounded, failure, inWords } from './waiting.js';

async function timed(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return performance.now() - from;
}

/** What every aborted call of a case has in common. */
async function atEachPoint(durationMs: number, each: (point: AbortPoint) => Promise<void>): Promise<void> {
  for (const point of abortPoints(durationMs)) await each(point);
}

/** What it says of itself must be true: running is usable, hibernated and gone are not, half is nothing. */
async function checkHonest(
  kit: Kit,
  one: KitSession,
  allowed: readonly string[],
  when: string,
): Promise<void> {
  const found = await one.inspect();
  const state = found?.state ?? 'gone';
  if (!allowed.includes(state))
    throw failure(`${when}, the session is ${state}; it must be ${allowed.join(' or ')}`);
  if (state === 'running') await one.checkUsable();
  else await one.openRefused(`${when}, to a session that is ${state}`);
  const listed = (await kit.list()).filter(({ sessionId }) => sessionId === one.sessionId);
  if (listed.length !== (found ? 1 : 0) || (found && listed[0]?.state !== found.state))
    throw failure(`${when}, list and inspect disagree about the session`);
}

export const aborts: readonly KitCase[] = [
  {
    chapter: 'Aborts',
    name: 'does nothing once the signal has aborted',
    why: 'Who lost the lead must not change anything any more.',
    async run(kit) {
      const { platform, limits } = kit;
      const reason = new Error('given up before');
      const aborted = AbortSignal.abort(reason);
      const nothing = async (what: string, work: () => Promise<unknown>): Promise<void> => {
        const error = await bounded(`${what} with an aborted signal`, limits.abortMs, async () =>
          (async () => work())().then(
            () => undefined,
            (thrown: unknown) => thrown,
          ),
        );
        if (error === undefined)
          throw failure(`${what} with an aborted signal must reject with the signal's reason; it resolved`);
        if (error !== reason)
          throw failure(
            `${what} with an aborted signal must reject with the signal's reason; it rejected with ${inWords(error)}`,
          );
      };
      const [one, other] = [kit.session(), kit.session()];
      await nothing('start', () => platform.start(one.spec, one.change(), aborted));
      await kit.checkList([], 'after a start with an aborted signal');
      await other.start();
      const { sessionId } = other;
      await nothing('list', () => platform.list(aborted));
      await nothing('inspect', () => platform.inspect(sessionId, aborted));
      await nothing('openStream', () => platform.openStream(sessionId, 'vnc', aborted));
      await nothing('stop', () => platform.stop(sessionId, other.change(), aborted));
      if (platform.capabilities.hibernate) {
        await nothing('hibernate', () => platform.hibernate(sessionId, other.change(), aborted));
        await other.check('after calls with an aborted signal');
        await other.hibernate();
        await nothing('wake', () => platform.wake(sessionId, other.change(), aborted));
      }
      await other.check('after calls with an aborted signal');
    },
  },
  {
    chapter: 'Aborts',
    name: 'leaves nothing of a start that is aborted, whenever that is',
    why: 'Users give up, deadlines pass, leaders change; what is left then is paid for by nobody.',
    async run(kit) {
      const first = kit.session();
      const durationMs = await timed(() => first.start());
      await first.stop();
      const one = kit.session();
      await atEachPoint(durationMs, async (point) => {
        const call = (signal: AbortSignal) => kit.platform.start(one.spec, one.attempt(), signal);
        const { limits } = kit;
        const done = await abortAt({
          what: 'start',
          point,
          limits,
          durationMs,
          mayGoThrough: false,
          call,
        });
        const when = `after a start that was aborted ${point.name}`;
        await checkHonest(kit, one, done ? ['running'] : ['gone'], when);
        if (done) await one.stop();
        await kit.checkNothingLeft(when);
      });
      await one.start();
      await one.checkUsable();
    },
  },
  {
    chapter: 'Aborts',
    name: 'stops a session after a stop that was aborted, whenever that was',
    why: 'A session that is half gone has to go all the way, the next time.',
    async run(kit) {
      const one = kit.session();
      await one.start();
      const durationMs = await timed(() => one.stop());
      await atEachPoint(durationMs, async (point) => {
        await one.start();
        const call = (signal: AbortSignal) => kit.platform.stop(one.sessionId, one.attempt(), signal);
        const { limits } = kit;
        await abortAt({ what: 'stop', point, limits, durationMs, mayGoThrough: true, call });
        await one.stop();
        const when = `after a stop that was aborted ${point.name} and another`;
        await kit.checkList([], when);
        await kit.checkNothingLeft(when);
      });
    },
  },
  {
    chapter: 'Aborts',
    name: 'knows whether a session hibernates after a hibernate that was aborted, whenever that was',
    why: 'A session that is said to run, and does not, cannot be helped by anyone.',
    needs: [hibernation],
    async run(kit) {
      const one = kit.session();
      await one.start();
      const durationMs = await timed(() => one.hibernate());
      await atEachPoint(durationMs, async (point) => {
        await one.start();
        const call = (signal: AbortSignal) => kit.platform.hibernate(one.sessionId, one.attempt(), signal);
        const { limits } = kit;
        const done = await abortAt({
          what: 'hibernate',
          point,
          limits,
          durationMs,
          mayGoThrough: true,
          call,
        });
        const when = `after a hibernate that was aborted ${point.name}`;
        await checkHonest(kit, one, done ? ['hibernated'] : ['running', 'hibernated'], when);
        await one.hibernate();
      });
      await one.wake();
      await one.checkUsable();
    },
  },
  {
    chapter: 'Aborts',
    name: 'leaves a session hibernated when its wake is aborted, whenever that is',
    why: 'What a user put aside must not be lost because somebody gave up waiting.',
    needs: [hibernation],
    async run(kit) {
      const one = kit.session();
      await one.start();
      await one.hibernate();
      const durationMs = await timed(() => one.wake());
      await atEachPoint(durationMs, async (point) => {
        await one.hibernate();
        const call = (signal: AbortSignal) => kit.platform.wake(one.sessionId, one.attempt(), signal);
        const { limits } = kit;
        const done = await abortAt({ what: 'wake', point, limits, durationMs, mayGoThrough: false, call });
        const when = `after a wake that was aborted ${point.name}`;
        await checkHonest(kit, one, done ? ['running'] : ['hibernated'], when);
      });
      await one.wake();
      await one.checkUsable();
      await one.stop();
      await kit.checkNothingLeft('after aborted wakes and a stop');
    },
  },
  {
    chapter: 'Aborts',
    name: 'opens a stream after one that was given up, whenever that was',
    why: 'Viewers close their tabs while they connect.',
    async run(kit) {
      const one = kit.session();
      await one.start();
      const durationMs = await timed(() => one.checkUsable());
      await atEachPoint(durationMs, async (point) => {
        const call = (signal: AbortSignal) => kit.platform.openStream(one.sessionId, 'vnc', signal);
        const { limits } = kit;
        const done = await abortAt({
          what: 'openStream',
          point,
          limits,
          durationMs,
          mayGoThrough: true,
          call,
        });
        done?.value.abort(new Error('the viewer is gone'));
      });
      await one.checkUsable();
      await one.stop();
      await kit.checkNothingLeft('after streams that were given up and a stop');
    },
  },
];
