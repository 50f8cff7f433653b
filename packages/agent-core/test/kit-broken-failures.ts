import { PlatformError } from '../src/errors.js';
import type { Platform } from '../src/platform.js';
import { but, hang, lying, ms, never, turn, type BrokenDriver } from './kit-broken.js';

/** Wrong when they are aborted, when something fails, and when the agent is restarted. */
export const brokenInFailures: readonly BrokenDriver[] = [
  {
    fault: 'lists for a call that was aborted before',
    failsIn: 'does nothing once the signal has aborted',
    because: /list with an aborted signal must reject with the signal's reason; it resolved/,
    driver: (sound) => but(sound, { list: () => sound.list(never) }),
  },
  {
    fault: 'ignores aborts',
    failsIn: 'leaves nothing of a start that is aborted, whenever that is',
    because:
      /start, aborted at once, must reject with the signal's reason; it went on for \d+ ms and resolved/,
    driver: (sound) =>
      but(sound, {
        async start(spec, change) {
          await ms(30);
          return sound.start(spec, change, never);
        },
      }),
  },
  {
    fault: 'looks at its signal once, early in a long call',
    failsIn: 'leaves nothing of a start that is aborted, whenever that is',
    because:
      /start, aborted after 15 % of the time that it takes, must (reject with the signal's reason|settle)/,
    driver: (sound) =>
      but(sound, {
        async start(spec, change, signal) {
          await ms(10);
          signal.throwIfAborted();
          await ms(140);
          return sound.start(spec, change, never);
        },
      }),
  },
  {
    fault: 'rejects aborted calls with an error of its own',
    failsIn: 'leaves nothing of a start that is aborted, whenever that is',
    because: /start, aborted at once, must reject with the signal's reason; it rejected with cancelled/,
    driver: (sound) =>
      but(sound, {
        async start(spec, change, signal) {
          await turn();
          if (signal.aborted) throw new PlatformError('cancelled', 'somebody gave up');
          return sound.start(spec, change, signal);
        },
      }),
  },
  {
    fault: 'leaves half a session when a start is aborted',
    failsIn: 'leaves nothing of a start that is aborted, whenever that is',
    because:
      /openStream after a start that was aborted .*, to a session that is gone must reject.*; it resolved/,
    driver: (sound, host) =>
      but(sound, {
        async start(spec, change, signal) {
          const desktop = host.boot(spec.sessionId, change.generation);
          await turn();
          signal.throwIfAborted();
          host.end(desktop);
          return sound.start(spec, change, signal);
        },
      }),
  },
  {
    fault: 'lists a session whose start was aborted',
    failsIn: 'leaves nothing of a start that is aborted, whenever that is',
    because: /after a start that was aborted at once, the session is starting; it must be gone/,
    driver: (sound, host) =>
      but(sound, {
        async start(spec, change, signal) {
          if (!host.records.has(spec.sessionId))
            host.records.set(spec.sessionId, { sessionId: spec.sessionId, ...change, state: 'starting' });
          await turn();
          return sound.start(spec, change, signal);
        },
      }),
  },
  {
    fault: 'hangs when a stop is aborted',
    failsIn: 'stops a session after a stop that was aborted, whenever that was',
    because: /stop, aborted at once, must settle; it did not settle within \d+ ms/,
    driver: (sound) =>
      but(sound, {
        async stop(sessionId, change, signal) {
          await turn();
          if (signal.aborted) await hang();
          await sound.stop(sessionId, change, signal);
        },
      }),
  },
  {
    fault: 'takes a half hibernated session for running',
    failsIn: 'knows whether a session hibernates after a hibernate that was aborted, whenever that was',
    because: /openStream must succeed; it rejected with session_not_found/,
    driver: (sound, host) =>
      but(sound, {
        async hibernate(sessionId, change, signal) {
          host.end(host.desktopOf(sessionId));
          await turn();
          return sound.hibernate(sessionId, change, signal);
        },
      }),
  },
  {
    fault: 'loses a session when its wake is aborted',
    failsIn: 'leaves a session hibernated when its wake is aborted, whenever that is',
    because: /after a wake that was aborted at once, the session is gone; it must be hibernated/,
    driver: (sound, host) =>
      but(sound, {
        async wake(sessionId, change, signal) {
          await turn();
          if (signal.aborted) host.records.delete(sessionId);
          return sound.wake(sessionId, change, signal);
        },
      }),
  },
  {
    fault: 'keeps the connection of a viewer that gave up',
    failsIn: 'opens a stream after one that was given up, whenever that was',
    because: /it rejected with connect_failed: too many viewers/,
    driver(sound) {
      let lost = 0;
      return but(sound, {
        async openStream(sessionId, port, signal) {
          if (lost > 0) throw new PlatformError('connect_failed', 'too many viewers', true);
          await turn();
          if (signal.aborted) lost += 1;
          return sound.openStream(sessionId, port, signal);
        },
      });
    },
  },
  {
    fault: 'leaves a desktop behind when a start fails',
    failsIn: 'leaves nothing of a start that failed',
    because: /after a start that failed, this is left: desktop of kit-/,
    driver: (sound, host) =>
      but(sound, {
        async start(spec, change, signal) {
          const desktop = host.boot(spec.sessionId, change.generation);
          const session = await sound.start(spec, change, signal);
          host.end(desktop);
          return session;
        },
      }),
  },
  {
    fault: 'throws strings',
    failsIn: 'leaves nothing of a start that failed',
    because: /what it rejected with is no Error with a message: string image_missing/,
    driver: (sound) =>
      but(sound, {
        start: (...of) =>
          sound.start(...of).catch((error: PlatformError) => {
            throw error.code as unknown as Error;
          }),
      }),
  },
  {
    fault: 'makes paths of whatever it is given',
    failsIn: 'refuses session ids that are no DNS labels',
    because: /start of the session id "" must reject with invalid_session_id; it resolved/,
    driver: (sound) =>
      but(sound, {
        start: (spec, ...rest) =>
          sound.start({ ...spec, sessionId: spec.sessionId.replace(/[^a-z0-9-]/g, '') || 'nobody' }, ...rest),
      }),
  },
  {
    fault: 'wakes what is not there',
    failsIn: 'says that a session is not there, when it is to be hibernated or woken',
    because:
      /hibernate of a session that is not there must reject with session_not_found; it rejected with timeout/,
    driver: (sound) =>
      but(sound, {
        hibernate: (...of) =>
          sound.hibernate(...of).catch((error: PlatformError) => {
            throw error.code === 'session_not_found'
              ? new PlatformError('timeout', 'no answer', true)
              : error;
          }),
      }),
  },
  {
    fault: 'lists nothing while its host does not answer',
    failsIn: 'asks to be tried again while its host does not answer, and goes on when it does',
    because: /list, while the host does not answer, must reject; it resolved/,
    driver: (sound) => but(sound, { list: (signal) => sound.list(signal).catch(() => []) }),
  },
  {
    fault: 'gives up for good while its host does not answer',
    failsIn: 'asks to be tried again while its host does not answer, and goes on when it does',
    because: /start, while the host does not answer, must reject with shouldRetry true/,
    driver: (sound) =>
      but(sound, {
        start: (...of) =>
          sound.start(...of).catch((error: PlatformError) => {
            throw new PlatformError(error.code, error.message, false);
          }),
      }),
  },
  {
    fault: 'takes a crashed desktop for running',
    failsIn: 'notices a session that ended by itself, and can start it again',
    because: /after a crash, inspect has the session in state running; it must be failed or stopped/,
    driver: (sound) =>
      but(
        sound,
        lying(sound, (truth) => (truth.state === 'failed' ? { ...truth, state: 'running' } : truth)),
      ),
  },
  {
    fault: 'forgets its sessions at a restart, and says that it does not',
    failsIn: 'has its sessions as they were',
    because: /after a restart, list omits kit-/,
    driver(sound) {
      const own = new Set<string>();
      return but(sound, {
        async start(spec, ...rest) {
          own.add(spec.sessionId);
          return sound.start(spec, ...rest);
        },
        list: async (signal) => (await sound.list(signal)).filter(({ sessionId }) => own.has(sessionId)),
      });
    },
  },
  {
    fault: 'forgets at a restart which command came last',
    failsIn: 'has its sessions as they were',
    because: /after a restart, list has the command id unknown; it must be/,
    driver: forgetful((truth) => ({ ...truth, commandId: 'unknown' })),
  },
  {
    fault: 'starts sessions over after a restart, for it finds no process of its own',
    failsIn: 'connects to desktops that it did not start itself, and adopts them',
    because: /a stream that was open when a running session was started after a restart must carry bytes/,
    driver(sound, host) {
      const own = new Set<string>();
      return but(sound, {
        async start(spec, ...rest) {
          if (!own.has(spec.sessionId)) host.crash(spec.sessionId);
          own.add(spec.sessionId);
          return sound.start(spec, ...rest);
        },
      });
    },
  },
  {
    fault: 'wakes a second time what another agent has woken',
    failsIn: 'does nothing twice, whatever an agent had done when it died before it could say so',
    because: /a stream that was open when wake came again after a restart must carry bytes/,
    driver(sound, host) {
      const awake = new Set<string>();
      return but(sound, {
        async wake(sessionId, ...rest) {
          if (!awake.has(sessionId)) host.crash(sessionId);
          awake.add(sessionId);
          return sound.wake(sessionId, ...rest);
        },
      });
    },
  },
  {
    fault: 'cannot wake after a restart, for it kept in memory what that needs',
    failsIn: 'wakes what hibernated before',
    because: /wake must succeed; it rejected with internal/,
    driver(sound) {
      const kept = new Set<string>();
      return but(sound, {
        async hibernate(sessionId, ...rest) {
          kept.add(sessionId);
          return sound.hibernate(sessionId, ...rest);
        },
        async wake(sessionId, ...rest) {
          if (!kept.has(sessionId)) throw new PlatformError('internal', 'what was it again?');
          return sound.wake(sessionId, ...rest);
        },
      });
    },
  },
  {
    fault: 'takes older commands after a restart',
    failsIn: 'still refuses a lower generation, and ends it for a higher one',
    because: /stop with a lower generation, after a restart, must reject with stale_generation; it resolved/,
    driver(sound) {
      const own = new Set<string>();
      return but(sound, {
        async start(spec, ...rest) {
          own.add(spec.sessionId);
          return sound.start(spec, ...rest);
        },
        stop: (sessionId, change, signal) =>
          sound.stop(sessionId, own.has(sessionId) ? change : { ...change, generation: 1_000 }, signal),
      });
    },
  },
];

/** Lies about sessions that an earlier agent started. */
function forgetful(lie: Parameters<typeof lying>[1]): BrokenDriver['driver'] {
  return (sound): Platform => {
    const own = new Set<string>();
    return but(sound, {
      ...lying(sound, (truth) => (own.has(truth.sessionId) ? truth : lie(truth))),
      async start(spec, ...rest) {
        own.add(spec.sessionId);
        return sound.start(spec, ...rest);
      },
    });
  };
}
