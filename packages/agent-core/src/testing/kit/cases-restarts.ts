import type { KitCase } from './case.js';
import { hibernation, holding, requireRestart, survival } from './needs.js';
import { failure, turn } from './waiting.js';

/** Turns of the event loop in which a start writes down what it writes before it waits. */
const TURNS_TO_BEGIN = 5;

export const restarts: readonly KitCase[] = [
  {
    chapter: 'Restart of the agent',
    name: 'has its sessions as they were',
    why: 'Generation and command id are all that the next agent knows of what was done.',
    needs: [survival],
    async run(kit) {
      requireRestart(kit.fixture);
      const [one, other] = await kit.twoSessions();
      if (kit.platform.capabilities.hibernate) await other.hibernate();
      await kit.restart();
      await kit.checkList([one, other], 'after a restart');
      await one.check('after a restart');
      await other.check('after a restart');
    },
  },
  {
    chapter: 'Restart of the agent',
    name: 'connects to desktops that it did not start itself, and adopts them',
    why: 'Users must not notice that an agent was replaced, beyond a reconnect.',
    needs: [survival],
    async run(kit) {
      requireRestart(kit.fixture);
      const one = kit.session();
      const change = one.change();
      await one.start(change);
      await kit.restart();
      const stream = await one.open();
      await one.start(change);
      await stream.exchange('a stream that was open when a running session was started after a restart');
      await stream.abort();
      await kit.checkList([one], 'after a restart and the same start again');
      await one.stop();
      await kit.checkList([], 'after a restart and a stop');
      await kit.checkNothingLeft('after a restart and a stop');
    },
  },
  {
    chapter: 'Restart of the agent',
    name: 'does nothing twice, whatever an agent had done when it died before it could say so',
    why: 'The next agent is handed the same command again, and knows only what the place says.',
    needs: [survival],
    async run(kit) {
      requireRestart(kit.fixture);
      const one = kit.session();
      /** The agent dies once `call` has had its effect; the next one gets the same command. */
      const again = async (what: string, call: () => Promise<unknown>): Promise<void> => {
        await call();
        await kit.restart();
        const stream = one.state === 'running' ? await one.open() : undefined;
        await call();
        const when = `when ${what} came again after a restart`;
        await stream?.exchange(`a stream that was open ${when}`);
        await stream?.abort();
        await kit.checkList(one.state ? [one] : [], when);
      };
      const [started, hibernated, woken, stopped] = [one.change(), one.change(), one.change(), one.change()];
      await again('start', () => one.start(started));
      if (kit.platform.capabilities.hibernate) {
        await again('hibernate', () => one.hibernate(hibernated));
        await again('wake', () => one.wake(woken));
      }
      const newer = one.change(one.generation + 1);
      await again('start with a higher generation', () => one.start(newer));
      await again('stop', () => one.stop({ ...stopped, generation: newer.generation }));
      await kit.checkNothingLeft('after calls that came again after restarts');
    },
  },
  {
    chapter: 'Restart of the agent',
    name: 'completes a start in the middle of which an agent died',
    why: 'The next agent is handed the same command, and finds half of what it asks for.',
    needs: [survival, holding],
    async run(kit) {
      requireRestart(kit.fixture);
      const one = kit.session();
      const change = one.change();
      const release = await kit.fixture.hold!(one.sessionId);
      // Its agent dies with it: what becomes of the call is nothing that anyone hears.
      kit.platform.start(one.spec, change, new AbortController().signal).catch(() => undefined);
      try {
        for (let i = 0; i < TURNS_TO_BEGIN; i++) await turn();
        await kit.restart();
      } finally {
        release();
      }
      const extra = (await kit.list()).find(({ sessionId }) => sessionId !== one.sessionId);
      if (extra)
        throw failure(`after a restart during a start, list has ${extra.sessionId}, which nobody started`);
      await one.start(change);
      await kit.checkList([one], 'after a start that was begun before a restart');
      await one.checkUsable();
      await one.stop();
      await kit.checkList([], 'after a start that was begun before a restart, and a stop');
      await kit.checkNothingLeft('after a start that was begun before a restart, and a stop');
    },
  },
  {
    chapter: 'Restart of the agent',
    name: 'wakes what hibernated before',
    why: 'Sessions sleep for weeks; agents are updated in between.',
    needs: [survival, hibernation],
    async run(kit) {
      requireRestart(kit.fixture);
      const [one, other] = await kit.twoSessions();
      await one.hibernate();
      await other.hibernate();
      await kit.restart();
      await one.wake();
      await one.checkUsable();
      await other.check('after a restart and the wake of another');
      await other.stop();
      await one.stop();
      await kit.checkNothingLeft('after a restart, a wake and stops');
    },
  },
  {
    chapter: 'Restart of the agent',
    name: 'still refuses a lower generation, and ends it for a higher one',
    why: 'Delayed commands outlive agents.',
    needs: [survival],
    async run(kit) {
      requireRestart(kit.fixture);
      const one = kit.session();
      await one.start();
      await kit.restart();
      const { sessionId } = one;
      const older = one.change(one.generation - 1);
      await kit.refused('stop with a lower generation, after a restart,', ['stale_generation'], (signal) =>
        kit.platform.stop(sessionId, older, signal),
      );
      const stream = await one.open();
      await one.start(one.change(one.generation + 1));
      await stream.ends('to an older generation, once the newer one is started,');
      await one.checkUsable();
      await one.stop();
      await kit.checkNothingLeft('after a restart, two generations and a stop');
    },
  },
];
