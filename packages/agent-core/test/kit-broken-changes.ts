import { PlatformError } from '../src/errors.js';
import { sessionTurns } from '../src/session-turns.js';
import { but, hang, never, turn, type BrokenDriver } from './kit-broken.js';

/** Wrong in what they do with start, stop, hibernate and wake when nothing goes wrong around them. */
export const brokenInChanges: readonly BrokenDriver[] = [
  {
    fault: 'cannot hibernate, and does not say why',
    failsIn: 'says why, for each thing that it cannot do',
    because: /capabilities\.reasons\.hibernate must say why/,
    driver: (sound) => but(sound, { capabilities: { hibernate: false, survivesAgentRestart: true } }),
  },
  {
    fault: 'cannot hibernate, and fails at it in its own way',
    failsIn: 'hibernates a session and wakes it',
    because:
      /hibernate, which is declared not to work, must reject with not_supported; it rejected with internal/,
    driver: (sound) =>
      but(sound, {
        capabilities: { hibernate: false, survivesAgentRestart: true, reasons: { hibernate: 'No disk.' } },
        hibernate: () => Promise.reject(new PlatformError('internal', 'no such thing')),
      }),
  },
  {
    fault: 'resolves a start before the desktop takes connections',
    failsIn: 'resolves a start when the desktop takes connections, and not before',
    because: /openStream must succeed; it rejected with connect_failed/,
    driver(sound) {
      const ready = new Map<string, number>();
      return but(sound, {
        async start(spec, ...rest) {
          ready.set(spec.sessionId, performance.now() + 50);
          return sound.start(spec, ...rest);
        },
        async openStream(sessionId, ...rest) {
          if (performance.now() < (ready.get(sessionId) ?? 0))
            throw new PlatformError('connect_failed', 'nothing answers yet', true);
          return sound.openStream(sessionId, ...rest);
        },
      });
    },
  },
  {
    fault: 'fails to stop a session that is not there',
    failsIn: 'takes stopping a session that is not there for done',
    because: /stop must succeed; it rejected with session_not_found/,
    driver: (sound) =>
      but(sound, {
        async stop(sessionId, ...rest) {
          if (!(await sound.inspect(sessionId, never)))
            throw new PlatformError('session_not_found', `there is no session ${sessionId}`);
          return sound.stop(sessionId, ...rest);
        },
      }),
  },
  {
    fault: 'never gives a name free again',
    failsIn: 'starts a session anew after it was stopped',
    because: /start must succeed; it rejected with name_taken/,
    driver(sound) {
      const stopped = new Set<string>();
      return but(sound, {
        async start(spec, ...rest) {
          if (stopped.has(spec.sessionId)) throw new PlatformError('name_taken', 'it was used before');
          return sound.start(spec, ...rest);
        },
        async stop(sessionId, ...rest) {
          stopped.add(sessionId);
          return sound.stop(sessionId, ...rest);
        },
      });
    },
  },
  {
    fault: 'wakes the wrong session',
    failsIn: 'wakes the session that it was asked to wake, and no other',
    because: /after its wake, inspect has the session in state hibernated; it must be running/,
    driver: (sound) =>
      but(sound, {
        async wake(sessionId, ...rest) {
          const asleep = (await sound.list(never)).find(({ state }) => state === 'hibernated');
          return { ...(await sound.wake(asleep?.sessionId ?? sessionId, ...rest)), sessionId };
        },
      }),
  },
  {
    fault: 'takes a hibernated session for started',
    failsIn: 'brings a hibernated session back when it is to be started',
    because: /what start resolved with has the session in state hibernated; it must be running/,
    driver: (sound) =>
      but(sound, {
        async start(spec, ...rest) {
          const found = await sound.inspect(spec.sessionId, never);
          return found?.state === 'hibernated' ? found : sound.start(spec, ...rest);
        },
      }),
  },
  {
    fault: 'stops only what runs',
    failsIn: 'stops a session that hibernates',
    because: /after stopping a hibernated session, list has kit-/,
    driver: (sound) =>
      but(sound, {
        async stop(sessionId, ...rest) {
          const found = await sound.inspect(sessionId, never);
          if (found?.state === 'running') await sound.stop(sessionId, ...rest);
        },
      }),
  },
  {
    fault: 'starts twice when asked twice at the same time',
    failsIn: 'starts a session once, when one command asks again, at the same time and later',
    because: /after three starts and a stop, this is left: desktop of kit-/,
    driver: (sound, host) =>
      but(sound, {
        async start(spec, change, signal) {
          const found = await sound.inspect(spec.sessionId, signal);
          await turn();
          const session = await sound.start(spec, change, signal);
          if (!found) host.boot(spec.sessionId, change.generation);
          return session;
        },
      }),
  },
  {
    fault: 'starts a running session over when another command asks for it',
    failsIn: 'starts a session once, when several commands of one generation ask for it',
    because: /a stream that was open when the session was started once more must carry bytes/,
    driver: (sound, host) =>
      but(sound, {
        async start(spec, change, signal) {
          const found = await sound.inspect(spec.sessionId, signal);
          if (found && found.commandId !== change.commandId) host.crash(spec.sessionId);
          return sound.start(spec, change, signal);
        },
      }),
  },
  {
    fault: 'stops at a second stop at the same time',
    failsIn: 'stops a session once, when asked twice at the same time',
    because: /stop must succeed; it rejected with busy/,
    driver(sound) {
      const busy = new Set<string>();
      return but(sound, {
        async stop(sessionId, ...rest) {
          if (busy.has(sessionId)) throw new PlatformError('busy', 'it is being stopped', true);
          busy.add(sessionId);
          await turn();
          await sound.stop(sessionId, ...rest).finally(() => busy.delete(sessionId));
        },
      });
    },
  },
  {
    fault: 'fails to hibernate what hibernates',
    failsIn: 'hibernates and wakes once, when asked twice at the same time and later',
    because: /hibernate must succeed; it rejected with invalid_command/,
    driver: (sound) =>
      but(sound, {
        async hibernate(sessionId, ...rest) {
          if ((await sound.inspect(sessionId, never))?.state === 'hibernated')
            throw new PlatformError('invalid_command', 'it hibernates already');
          return sound.hibernate(sessionId, ...rest);
        },
      }),
  },
  {
    fault: 'takes a start by an older command',
    failsIn: 'refuses a lower generation in every call that changes something',
    because: /start with a lower generation must reject with stale_generation; it resolved/,
    driver: (sound) =>
      but(sound, {
        async start(spec, change, signal) {
          const generation = (await sound.inspect(spec.sessionId, signal))?.generation ?? 0;
          return sound.start(
            spec,
            { ...change, generation: Math.max(generation, change.generation) },
            signal,
          );
        },
      }),
  },
  {
    fault: 'takes a stop by an older command',
    failsIn: 'refuses a lower generation in every call that changes something',
    because: /stop with a lower generation must reject with stale_generation; it resolved/,
    driver: (sound) =>
      but(sound, {
        stop: (sessionId, change, signal) => sound.stop(sessionId, { ...change, generation: 1_000 }, signal),
      }),
  },
  {
    fault: 'leaves an older generation running beside the newer one',
    failsIn: 'ends an older generation before it starts the newer one',
    because: /the end of a stream to an older generation, once the newer one is started, did not settle/,
    driver: (sound, host) =>
      but(sound, {
        async start(spec, change, signal) {
          const found = await sound.inspect(spec.sessionId, signal);
          if (!found || found.generation >= change.generation) return sound.start(spec, change, signal);
          host.boot(spec.sessionId, change.generation);
          const session = { sessionId: spec.sessionId, ...change, state: 'running' as const };
          host.records.set(spec.sessionId, session);
          return session;
        },
      }),
  },
  {
    fault: 'stops its own generation only',
    failsIn: 'stops a session for a higher generation',
    because: /after a stop with a higher generation, list has kit-/,
    driver: (sound) =>
      but(sound, {
        async stop(sessionId, change, signal) {
          const found = await sound.inspect(sessionId, signal);
          if (!found || found.generation >= change.generation) await sound.stop(sessionId, change, signal);
        },
      }),
  },
  {
    fault: 'cannot start two sessions at the same time',
    failsIn: 'keeps sessions apart that live side by side',
    because: /start did not settle within \d+ ms/,
    driver(sound) {
      let starting = false;
      return but(sound, {
        async start(...of) {
          if (starting) await hang();
          starting = true;
          await turn();
          return sound.start(...of).finally(() => (starting = false));
        },
      });
    },
  },
  {
    fault: 'lets a stop overtake the start that it ends',
    failsIn: 'lets a start and a stop of one session that overlap take effect one after the other',
    because: /openStream after a start and a stop that overlapped, to a session that is gone must reject/,
    driver: (sound, host) =>
      but(sound, {
        async start(spec, change) {
          const session = { sessionId: spec.sessionId, ...change, state: 'running' as const };
          host.records.set(spec.sessionId, session);
          await turn();
          host.boot(spec.sessionId, change.generation);
          return session;
        },
      }),
  },
  {
    fault: 'lets all sessions wait for one',
    failsIn: 'does not let a session that hangs hold up the others',
    because: /while another session hangs, the life of a session did not settle within \d+ ms/,
    driver(sound) {
      const turns = sessionTurns();
      return but(sound, {
        start: (spec, change, signal) => turns.run('all', signal, () => sound.start(spec, change, signal)),
      });
    },
  },
];
